package org.quern.executor;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuFault;
import org.quern.gpu.GpuGraph;
import org.quern.gpu.GpuStream;
import org.quern.graph.EightBits;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.MixedPrecision;
import org.quern.graph.Schedule;
import org.quern.graph.Value;
import org.quern.kernels.cuda.KernelLibrary;

/// Runs graphs on a GPU, real or emulated, in mixed precision: each node becomes a kernel bound to its memory, or
/// is the end of the one before it. A program's launches are captured when it first runs, cut at its milestones, and
/// replayed from then on.
public final class GpuExecutor implements Executor {
    private final Gpu gpu;
    private final KernelLibrary library;
    private final MatMuls matMuls;
    private final DeviceArena memory;
    private final GpuStream stream;
    private final GpuTensorStore tensors;
    private final GpuTables tables;
    private final ProgramMemory needs;
    private final List<GpuGraph> captured = new ArrayList<>();
    private final List<GpuEvent> ends = new ArrayList<>();
    private DeviceMemory arena = DeviceMemory.NONE;
    private DeviceMemory scratch = DeviceMemory.NONE;
    private Optional<OperationListener> listener = Optional.empty();
    private GpuStopwatch stopwatch;

    /// @param gpu belongs to the executor from now on, as the library does
    public GpuExecutor(Gpu gpu, KernelLibrary library) {
        this(gpu, library, KernelProvider.PTX.matMuls());
    }

    /// @param matMuls makes its matrix products
    /// @throws GpuException if they cannot be made here
    GpuExecutor(Gpu gpu, KernelLibrary library, MatMuls matMuls) {
        this.gpu = gpu;
        this.library = library;
        this.matMuls = matMuls;
        memory = gpu.arena();
        stream = gpu.stream();
        tensors = new GpuTensorStore(gpu, memory, stream, library);
        tables = new GpuTables(memory, stream);
        needs = new ProgramMemory(gpu(), matMuls);
        try {
            matMuls.prepare(stream);
        } catch (GpuException e) {
            close();
            throw e;
        }
    }

    @Override
    public TensorStore tensors() {
        return tensors;
    }

    /// Prepares a graph. Its memory is allocated when a program first runs, an arena as large as all graphs need
    /// that were prepared by then: prepare all graphs first.
    @Override
    public Program prepare(Graph graph, List<Milestone> milestones) {
        return prepareLowered(matMuls.lower(graph), milestones);
    }

    /// The same for a graph that has the types of a GPU already.
    Program prepareLowered(Graph lowered, List<Milestone> milestones) {
        ProgramMemory.Placed placed = needs.add(lowered);
        lowered.states().values().forEach(tensors::declare);
        MixedPrecision.workingCopies(lowered).forEach(tensors::declareWorkingCopy);
        EightBits.parameterCopies(lowered)
                .forEach(copy -> tensors.declareQuantized(copy.parameter(), copy.transposed()));
        return new GpuProgram(placed.schedule(), placed.plan(), milestones);
    }

    private List<GpuKernels.Bound> bind(Schedule schedule, MemoryPlan plan) {
        arena = atLeast(arena, needs.arenaBytes(), "activations, of which the largest is " + largest(plan));
        scratch = atLeast(scratch, needs.scratchBytes(), "the kernels' scratch");
        needs.tables().forEach(tables::rope);
        return new GpuKernels(library, matMuls, tensors, tables, scratch, value -> memoryOf(value, plan))
                .bind(schedule.nodes());
    }

    private DeviceMemory atLeast(DeviceMemory present, long bytes, String what) {
        return bytes > present.bytes() ? GpuTensorStore.allocate(memory, bytes, what) : present;
    }

    private static String largest(MemoryPlan plan) {
        return plan.offsets().keySet().stream()
                .max(Comparator.comparingLong(Value::bytes))
                .map(Value::toString)
                .orElse("none");
    }

    private DeviceMemory memoryOf(Value value, MemoryPlan plan) {
        return value.state()
                ? tensors.device(value.name())
                : arena.slice(plan.offsets().get(value), value.bytes());
    }

    @Override
    public void observe(Optional<OperationListener> listener) {
        this.listener = listener;
        if (listener.isPresent() && stopwatch == null) {
            stopwatch = new GpuStopwatch(gpu, stream);
        }
    }

    @Override
    public String clock() {
        return gpu instanceof EmulatedGpu
                ? "the emulator's instructions, a nanosecond each, which no GPU takes"
                : "the GPU's, from event to event around each operation, launched one by one";
    }

    @Override
    public Optional<DeviceProperties> gpu() {
        return Optional.of(gpu.properties());
    }

    @Override
    public Optional<Gpu> hardware() {
        return gpu instanceof EmulatedGpu ? Optional.empty() : Optional.of(gpu);
    }

    @Override
    public String description() {
        DeviceProperties device = gpu.properties();
        return "%s, %s, %d multiprocessors".formatted(device.name(), device.architecture(), device.multiprocessors());
    }

    @Override
    public void close() {
        stream.close();
        if (stopwatch != null) {
            stopwatch.close();
        }
        captured.forEach(GpuGraph::close);
        ends.forEach(GpuEvent::close);
        tensors.close();
        memory.close();
        library.close();
        gpu.close();
    }

    /// Kernels that are launched as one, what their end means, and a mark of it.
    private record Segment(GpuGraph graph, List<Milestone> milestones, GpuEvent end) {}

    private final class GpuProgram implements Program {
        private final Schedule schedule;
        private final MemoryPlan plan;
        private final List<Milestone> milestones;
        private List<GpuKernels.Bound> kernels;
        private List<Segment> segments;

        GpuProgram(Schedule schedule, MemoryPlan plan, List<Milestone> milestones) {
            this.schedule = schedule;
            this.plan = plan;
            this.milestones = milestones;
        }

        @Override
        public void run() {
            if (segments == null) {
                kernels = bind(schedule, plan);
                segments = segments();
                if (listener.isEmpty()) {
                    runOneByOne();
                    milestones.forEach(milestone -> milestone.reached().accept(stream::synchronize));
                    return;
                }
            }
            if (listener.isPresent()) {
                stopwatch.run(kernels, listener.get());
                milestones.forEach(milestone -> milestone.reached().accept(stream::synchronize));
                return;
            }
            for (Segment segment : segments) {
                stream.replay(segment.graph());
                if (!segment.milestones().isEmpty()) {
                    stream.record(segment.end());
                    for (Milestone milestone : segment.milestones()) {
                        milestone.reached().accept(segment.end()::synchronize);
                    }
                }
            }
        }

        /// Waits for each kernel, so that a device that does not say what it failed at leaves no doubt.
        private void runOneByOne() {
            for (GpuKernels.Bound bound : kernels) {
                try {
                    bound.launch(stream);
                    stream.synchronize();
                } catch (GpuFault e) {
                    throw e.at(bound.name());
                }
            }
        }

        /// The kernels, cut where milestones are reached.
        private List<Segment> segments() {
            List<Segment> cut = new ArrayList<>();
            int from = 0;
            for (int i = 0; i < kernels.size(); i++) {
                int last = i;
                List<Milestone> reached = milestones.stream()
                        .filter(milestone -> lastWriter(milestone.state()) == last)
                        .toList();
                if (!reached.isEmpty() || i == kernels.size() - 1) {
                    List<GpuKernels.Bound> part = kernels.subList(from, i + 1);
                    GpuGraph graph = stream.capture(() -> part.forEach(bound -> bound.launch(stream)));
                    captured.add(graph);
                    GpuEvent end = gpu.event();
                    ends.add(end);
                    cut.add(new Segment(graph, reached, end));
                    from = i + 1;
                }
            }
            return cut;
        }

        private int lastWriter(String state) {
            for (int i = kernels.size() - 1; i >= 0; i--) {
                if (kernels.get(i).writes(state)) {
                    return i;
                }
            }
            throw new IllegalArgumentException("no kernel writes " + state);
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
