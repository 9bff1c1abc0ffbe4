package org.quern.executor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.quern.gpu.DeviceProperties;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Schedule;
import org.quern.graph.Value;
import org.quern.kernels.cpu.Kernel;
import org.quern.kernels.cpu.ThreadTeam;

/// Runs graphs on the CPU: each node becomes a kernel bound to its memory, and a run executes them one after
/// the other, each on all threads. The bits of the result do not depend on the number of threads.
public final class CpuExecutor implements Executor {
    /// Waits for a kernel that has ended.
    private static final Runnable ALREADY = () -> {};

    private final Arena memory = Arena.ofShared();
    private final CpuTensorStore tensors = new CpuTensorStore(memory);
    private final CpuWorkspace workspace = new CpuWorkspace(memory);
    private final ThreadTeam team;
    private MemorySegment arena = MemorySegment.NULL;
    private long arenaBytes;
    private Optional<OperationListener> listener = Optional.empty();

    /// @param threads compute threads, the caller of `Program.run` among them
    public CpuExecutor(int threads) {
        team = new ThreadTeam(threads);
    }

    @Override
    public TensorStore tensors() {
        return tensors;
    }

    /// Prepares a graph. Its memory is allocated when it first runs, an arena as large as all graphs need that
    /// were prepared by then: prepare all graphs first.
    @Override
    public Program prepare(Graph graph, List<Milestone> milestones) {
        graph.states().values().forEach(tensors::declare);
        Schedule schedule = Schedule.of(graph);
        MemoryPlan plan = MemoryPlan.of(schedule);
        arenaBytes = Math.max(arenaBytes, plan.bytes());
        return new CpuProgram(schedule, plan, milestones);
    }

    /// A kernel, what it does, and what is to happen after it.
    private record Step(Kernel kernel, Operation operation, List<Milestone> reached) {}

    private Step[] bind(Schedule schedule, MemoryPlan plan, List<Milestone> milestones) {
        List<Node> nodes = schedule.nodes();
        if (arenaBytes > arena.byteSize()) {
            arena = memory.allocate(arenaBytes, MemoryPlan.ALIGNMENT);
        }
        CpuKernels kernels = new CpuKernels(workspace, value -> memoryOf(value, plan));
        List<Step> bound = new ArrayList<>();
        for (int i = 0; i < nodes.size(); i++) {
            Node node = nodes.get(i);
            Kernel kernel;
            List<Node> done = List.of(node);
            if (i + 1 < nodes.size() && addsBias(node, nodes.get(i + 1), plan)) {
                i++;
                kernel = kernels.matMulWithBias(node, nodes.get(i).input(1));
                done = List.of(node, nodes.get(i));
            } else {
                kernel = kernels.bind(node);
            }
            Operation operation =
                    Operation.of(done, Set.of(), each -> each.cost().bytes());
            bound.add(new Step(kernel, operation, Milestone.after(i, schedule, milestones)));
        }
        return bound.toArray(Step[]::new);
    }

    /// Whether a product and the bias that follows it are one kernel: the bias is added in place, so nobody
    /// else reads the product.
    private static boolean addsBias(Node node, Node next, MemoryPlan plan) {
        return node.op() instanceof Op.MatMul
                && next.op() instanceof Op.AddBias
                && next.input(0).equals(node.output(0))
                && !node.accumulates(0)
                && !next.accumulates(0)
                && !node.output(0).state()
                && !next.output(0).state()
                && plan.offsets().get(node.output(0)).equals(plan.offsets().get(next.output(0)));
    }

    private MemorySegment memoryOf(Value value, MemoryPlan plan) {
        return value.state()
                ? tensors.host(value.name())
                : arena.asSlice(plan.offsets().get(value), value.bytes());
    }

    @Override
    public void observe(Optional<OperationListener> listener) {
        this.listener = listener;
    }

    @Override
    public String clock() {
        return "the CPU's clock around each operation";
    }

    @Override
    public Optional<DeviceProperties> gpu() {
        return Optional.empty();
    }

    @Override
    public String description() {
        return "cpu with %d thread%s".formatted(team.threads(), team.threads() == 1 ? "" : "s");
    }

    @Override
    public void close() {
        team.close();
        memory.close();
    }

    private final class CpuProgram implements Program {
        private final Schedule schedule;
        private final MemoryPlan plan;
        private final List<Milestone> milestones;
        private Step[] steps;

        CpuProgram(Schedule schedule, MemoryPlan plan, List<Milestone> milestones) {
            this.schedule = schedule;
            this.plan = plan;
            this.milestones = milestones;
        }

        @Override
        public void run() {
            if (steps == null) {
                steps = bind(schedule, plan, milestones);
            }
            for (Step step : steps) {
                long start = System.nanoTime();
                team.execute(step.kernel());
                if (listener.isPresent()) {
                    listener.get().on(step.operation(), start, System.nanoTime() - start);
                }
                for (Milestone milestone : step.reached()) {
                    milestone.reached().accept(ALREADY);
                }
            }
        }

        @Override
        public Schedule schedule() {
            return schedule;
        }

        @Override
        public MemoryPlan memoryPlan() {
            return plan;
        }
    }
}
