package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.BUDGET;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.SplittableRandom;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.TensorMap;
import org.quern.ptx.syntax.SpecialRegisters;

/// One launch: what its blocks have in common.
final class Execution {
    final Program program;
    final Options options;
    final Dim grid;
    /// The blocks of a cluster.
    final Dim cluster;
    final Dim block;
    final int dynamicSharedBytes;
    /// Of a block.
    final int warps;
    /// [Program#actors] of all blocks of a cluster.
    final int actors;
    final GlobalSpace global;
    final ConstantSpace parameters;
    final SplittableRandom random;
    /// What strangers to this launch did is below it.
    final long launchLimit;
    /// What is at least this, and below [#launchLimit], launches did that may still run.
    final long unfinishedLimit;
    /// Those launches by their first epochs, if this one was launched programmatically.
    final Optional<NavigableMap<Integer, Program>> unfinished;
    /// What threads tell each other through global memory.
    final Releases releases = new Releases();
    final Counters counters;
    /// Null if nobody looks.
    final Trace trace;
    final Traffic traffic;
    /// By generic address, those that bulk copies have used.
    final Map<Long, TensorMap> tensorMaps = new HashMap<>();
    final MatrixMultiply.Scratch matrices = new MatrixMultiply.Scratch();
    final MatrixProduct.Scratch products = new MatrixProduct.Scratch();
    /// By instruction: how often it ran, and for how many lanes.
    final long[] counts;
    final long[] lanes;
    /// What is defined in the registers of a warp that starts.
    private final Registers fresh;
    /// Those that differ from block to block.
    private final List<Map.Entry<String, Integer>> changingSpecials;
    private long instructions;
    /// Of the cluster that runs.
    private int firstMultiprocessor;
    private int epoch;

    Execution(
            Program program,
            Options options,
            LaunchConfiguration configuration,
            GlobalMemory memory,
            ConstantSpace parameters,
            int firstEpoch,
            SplittableRandom random,
            Optional<NavigableMap<Integer, Program>> unfinished,
            Trace trace) {
        this.program = program;
        this.options = options;
        grid = configuration.grid();
        cluster = program.cluster;
        block = configuration.block();
        dynamicSharedBytes = configuration.sharedBytes();
        this.parameters = parameters;
        this.random = random;
        this.trace = trace;
        warps = configuration.warps();
        actors = program.actors(warps) * (int) cluster.count();
        epoch = firstEpoch;
        launchLimit = Access.limit(firstEpoch);
        this.unfinished = unfinished;
        unfinishedLimit = unfinished
                .filter(launches -> !launches.isEmpty())
                .map(launches -> Access.limit(launches.firstKey()))
                .orElse(launchLimit);
        global = new GlobalSpace(memory, this);
        counters = new Counters(program.operations.length);
        traffic = new Traffic(counters);
        counts = counters.instructions;
        lanes = counters.lanes;
        fresh = program.layout.registers();
        program.layout
                .specials()
                .forEach((name, slot) -> (switch (file(name)) {
                            case WORDS -> fresh.wordsDefined;
                            case LONGS -> fresh.longsDefined;
                            case PREDICATES -> fresh.predicatesDefined;
                        })
                        [slot] = -1);
        changingSpecials = program.layout.specials().entrySet().stream()
                .filter(special -> special.getKey().startsWith("%ctaid")
                        || special.getKey().startsWith("%clusterid")
                        || special.getKey().equals("%smid"))
                .toList();
    }

    private static RegisterFile file(String special) {
        return RegisterFile.of(SpecialRegisters.type(special));
    }

    /// Runs all blocks.
    ///
    /// @param shared memory by rank in a cluster
    void run(SharedMemory[] shared) {
        Cluster unit = new Cluster(this, shared);
        long count = clusters().count();
        BlockOrder order = new BlockOrder(options.blocks(), count, random);
        for (long i = 0; i < count; i++) {
            firstMultiprocessor = (int) (i * shared.length % options.device().multiprocessors());
            try {
                unit.run(order.at(i), epoch, random);
            } finally {
                epoch = unit.lastEpoch() + 1;
            }
        }
    }

    /// The clusters of the grid.
    Dim clusters() {
        return new Dim(grid.x() / cluster.x(), grid.y() / cluster.y(), grid.z() / cluster.z());
    }

    /// The first epoch that no block has used.
    int epoch() {
        return epoch;
    }

    /// Registers of a warp as they are in every block: constants and most special registers.
    Registers registers(Block unit, int warp) {
        Registers registers = program.layout.registers();
        program.layout.specials().forEach((name, slot) -> {
            switch (file(name)) {
                case WORDS -> {
                    for (int lane = 0; lane < 32; lane++) {
                        registers.words[slot * 32 + lane] = special(name, unit, warp, lane);
                    }
                }
                case LONGS -> Arrays.fill(registers.longs, slot * 32, slot * 32 + 32, 1L); // %gridid
                case PREDICATES -> registers.predicates[slot] = program.isExplicitCluster ? -1 : 0;
            }
        });
        return registers;
    }

    /// Sets the registers that a warp finds when a block starts.
    void prepare(Warp warp) {
        warp.registers.reset(fresh);
        for (Map.Entry<String, Integer> changing : changingSpecials) {
            int from = changing.getValue() * 32;
            Arrays.fill(warp.registers.words, from, from + 32, special(changing.getKey(), warp.block, warp.index, 0));
        }
    }

    private int special(String name, Block unit, int warp, int lane) {
        int thread = warp * 32 + lane;
        return switch (name) {
            case "%tid.x" -> thread % block.x();
            case "%tid.y" -> thread / block.x() % block.y();
            case "%tid.z" -> thread / block.x() / block.y();
            case "%ntid.x" -> block.x();
            case "%ntid.y" -> block.y();
            case "%ntid.z" -> block.z();
            case "%ctaid.x" -> unit.x;
            case "%ctaid.y" -> unit.y;
            case "%ctaid.z" -> unit.z;
            case "%nctaid.x" -> grid.x();
            case "%nctaid.y" -> grid.y();
            case "%nctaid.z" -> grid.z();
            case "%laneid" -> lane;
            case "%warpid" -> warp;
            case "%nwarpid" -> 64;
            case "%clusterid.x" -> unit.cluster.x;
            case "%clusterid.y" -> unit.cluster.y;
            case "%clusterid.z" -> unit.cluster.z;
            case "%nclusterid.x" -> grid.x() / cluster.x();
            case "%nclusterid.y" -> grid.y() / cluster.y();
            case "%nclusterid.z" -> grid.z() / cluster.z();
            case "%cluster_ctaid.x" -> unit.rank % cluster.x();
            case "%cluster_ctaid.y" -> unit.rank / cluster.x() % cluster.y();
            case "%cluster_ctaid.z" -> unit.rank / cluster.x() / cluster.y();
            case "%cluster_nctaid.x" -> cluster.x();
            case "%cluster_nctaid.y" -> cluster.y();
            case "%cluster_nctaid.z" -> cluster.z();
            case "%cluster_ctarank" -> unit.rank;
            case "%cluster_nctarank" -> (int) cluster.count();
            case "%smid" -> (firstMultiprocessor + unit.rank) % options.device().multiprocessors();
            case "%nsmid" -> options.device().multiprocessors();
            case "%lanemask_eq" -> 1 << lane;
            case "%lanemask_lt" -> (1 << lane) - 1;
            case "%lanemask_le" -> (1 << lane) - 1 | 1 << lane;
            case "%lanemask_gt" -> ~((1 << lane) - 1 | 1 << lane);
            case "%lanemask_ge" -> ~((1 << lane) - 1);
            case "%dynamic_smem_size" -> dynamicSharedBytes;
            case "%total_smem_size" -> program.sharedBytes(dynamicSharedBytes);
            default ->
                throw new EmulatorFault(
                        EmulatorFault.Kind.UNSUPPORTED,
                        0,
                        "%s reads %s, which the emulator does not have".formatted(program.name, name));
        };
    }

    /// Counts instructions of a warp against the budget.
    void ran(Warp warp, long count) {
        instructions += count;
        if (instructions > options.instructionBudget()) {
            throw warp.fault(
                    BUDGET,
                    0,
                    ("the launch has run %,d warp instructions and may take %,d: does a loop not end, or does a block"
                                    + " wait for another of another cluster? They run one after the other.")
                            .formatted(instructions, options.instructionBudget()));
        }
    }

    /// A time that goes on, in instructions.
    long clock() {
        return instructions;
    }

    /// `line 12 (ld.shared.u32 r1, [r2])`, by an entry of this launch.
    String where(long access) {
        return program.where(Access.instruction(access));
    }

    EmulatorFault fault(EmulatorFault.Kind kind, Warp warp, int lane, String rule) {
        Block unit = warp.block;
        return new EmulatorFault(
                kind,
                program.lines[warp.at],
                "%s, %s, block %s, warp %d, thread %s: %s"
                        .formatted(
                                program.name,
                                program.where(warp.at),
                                unit,
                                warp.index,
                                unit.thread(warp.index, lane),
                                rule));
    }
}
