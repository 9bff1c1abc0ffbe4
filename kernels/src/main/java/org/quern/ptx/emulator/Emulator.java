package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.LAUNCH;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Entry;

/// A device that exists in the JVM: global memory, and launches that run to their end on the calling thread.
///
/// A launch is a pure function of memory, arguments, [Options] and the number of launches before it. An emulator
/// serves one thread at a time. After a fault the content of its memory is not to be relied on.
public final class Emulator {
    private static final int MAX_BLOCK_Z = 64;
    private static final int LEAST_PROGRAMMATIC = 90;
    /// What every device takes.
    private static final int MOST_BLOCKS_OF_A_CLUSTER = 8;

    private final Options options;
    private final GlobalMemory memory = new GlobalMemory();
    private final Map<PtxModule, ModuleVariables> modules = new IdentityHashMap<>();
    private final Map<Entry, Program> programs = new IdentityHashMap<>();
    private final SplittableRandom random;
    /// By rank in a cluster.
    private SharedMemory[] shared;
    private int epoch = 1;
    private Trace trace;
    /// Launches that may still run when a programmatic one begins, by their first epochs.
    private final NavigableMap<Integer, Program> unfinished = new TreeMap<>();

    public Emulator(Options options) {
        this.options = options;
        random = new SplittableRandom(options.seed());
    }

    public Options options() {
        return options;
    }

    /// Lets somebody see the launches to come; null for nobody.
    public void trace(Trace trace) {
        this.trace = trace;
    }

    /// Makes memory whose content is undefined.
    ///
    /// @return its address, a multiple of 256 above 4 GiB
    public long allocate(long bytes) {
        return memory.allocate(bytes);
    }

    /// Frees what [#allocate] made.
    public void free(long address) {
        memory.free(address);
    }

    public long allocatedBytes() {
        return memory.used();
    }

    /// Copies from the host.
    public void write(long address, MemorySegment source) {
        unfinished.clear();
        memory.write(address, source);
    }

    /// Copies to the host.
    ///
    /// @throws EmulatorFault if a byte was never written
    public void read(long address, MemorySegment target) {
        unfinished.clear();
        memory.read(address, target);
    }

    public void fill(long address, long bytes, byte value) {
        unfinished.clear();
        memory.fill(address, bytes, value);
    }

    /// Copies within the device, undefined bytes as such.
    public void copy(long source, long target, long bytes) {
        unfinished.clear();
        memory.copy(source, target, bytes);
    }

    /// Whether every byte of a range was written.
    public boolean isDefined(long address, long bytes) {
        return memory.isDefined(address, bytes);
    }

    /// Decodes a module's kernels and makes its variables.
    ///
    /// @throws EmulatorFault naming the first instruction that the emulator does not know
    public void load(PtxModule module) {
        module.entries().forEach(entry -> program(module, entry));
    }

    /// Forgets a module and frees its variables.
    public void unload(PtxModule module) {
        ModuleVariables variables = modules.remove(module);
        if (variables != null) {
            variables.free(memory);
            module.entries().forEach(programs::remove);
        }
    }

    /// Bytes of shared memory that an entry's variables take.
    public int staticSharedBytes(PtxModule module, Entry entry) {
        return program(module, entry).staticSharedBytes;
    }

    /// Decodes a kernel, if that has yet to be done: others of its module may hold what the emulator does not know.
    private Program program(PtxModule module, Entry entry) {
        Program known = programs.get(entry);
        if (known != null) {
            return known;
        }
        if (module.architecture() > options.device().architecture()) {
            throw new EmulatorFault(
                    LAUNCH,
                    0,
                    "the module is for %s: the device is an sm_%d"
                            .formatted(module.target(), options.device().architecture()));
        }
        ModuleVariables variables = modules.computeIfAbsent(module, m -> new ModuleVariables(m, memory));
        Program program = new Program(module, entry, variables, options.device().sharedBytesReserved());
        programs.put(entry, program);
        return program;
    }

    /// Runs a kernel.
    ///
    /// @param arguments of the kernel, each at the next offset that its alignment divides
    /// @throws EmulatorFault if the kernel or the launch breaks a rule
    public Statistics launch(
            PtxModule module, Entry entry, LaunchConfiguration configuration, MemorySegment arguments) {
        Program program = program(module, entry);
        check(program, entry, configuration, arguments);
        if (epoch > Access.MAX_EPOCH / 2) {
            memory.forgetAccesses();
            unfinished.clear();
            shared = null;
            epoch = 1;
        }
        if (!configuration.programmatic()) {
            unfinished.clear();
        }
        int firstEpoch = epoch;
        int blocks = (int) program.cluster.count();
        int actors = blocks * program.actors(configuration.warps());
        int start = options.device().sharedBytesReserved();
        int end = start + program.sharedBytes(configuration.sharedBytes());
        if (shared == null || shared.length != blocks || !shared[0].fits(end, actors)) {
            shared = new SharedMemory[blocks];
            Arrays.setAll(shared, _ -> new SharedMemory(start, end, actors));
        }
        Execution execution = new Execution(
                program,
                options,
                configuration,
                memory,
                new ConstantSpace("parameter", arguments),
                epoch,
                random.split(),
                configuration.programmatic() ? Optional.of(unfinished) : Optional.empty(),
                trace);
        if (trace != null) {
            trace.begin(program.name, execution.warps);
        }
        try {
            execution.run(shared);
        } catch (EmulatorFault fault) {
            // It may be left with copies that nobody waits for.
            shared = null;
            throw fault;
        } finally {
            epoch = execution.epoch();
        }
        unfinished.put(firstEpoch, program);
        return Statistics.of(program, execution.counters);
    }

    private void check(Program program, Entry entry, LaunchConfiguration configuration, MemorySegment arguments) {
        Options.Device device = options.device();
        Dim grid = configuration.grid();
        Dim block = configuration.block();
        List<String> wrong = new ArrayList<>();
        if (configuration.programmatic() && device.architecture() < LEAST_PROGRAMMATIC) {
            wrong.add("programmatic launches need an sm_%d or later: the device is an sm_%d"
                    .formatted(LEAST_PROGRAMMATIC, device.architecture()));
        }
        if (block.count() > device.threadsPerBlock() || block.z() > MAX_BLOCK_Z) {
            wrong.add("a block may have %,d threads and %d in z: got %s"
                    .formatted(device.threadsPerBlock(), MAX_BLOCK_Z, block));
        }
        if (grid.y() > Launch.MOST_BLOCKS_YZ || grid.z() > Launch.MOST_BLOCKS_YZ) {
            wrong.add("a grid may have %,d blocks in y and z: got %s".formatted(Launch.MOST_BLOCKS_YZ, grid));
        }
        long bytes = (long) program.staticSharedBytes + configuration.sharedBytes();
        if (configuration.sharedBytes() < 0 || bytes > device.sharedBytesPerBlock()) {
            wrong.add("a block may have %,d bytes of shared memory: got %,d, of which the kernel's variables take %,d"
                    .formatted(device.sharedBytesPerBlock(), bytes, program.staticSharedBytes));
        }
        if (arguments.byteSize() < program.parameterBytes) {
            wrong.add("the parameters take %d bytes: got %d".formatted(program.parameterBytes, arguments.byteSize()));
        }
        long most = product(entry.directives().get("maxntid"));
        if (most > 0 && block.count() > most) {
            wrong.add(".maxntid allows %d threads: got %d".formatted(most, block.count()));
        }
        long exact = product(entry.directives().get("reqntid"));
        if (exact > 0 && block.count() != exact) {
            wrong.add(".reqntid wants %d threads: got %d".formatted(exact, block.count()));
        }
        Dim cluster = program.cluster;
        if (cluster.count() > MOST_BLOCKS_OF_A_CLUSTER) {
            wrong.add("a cluster may have %d blocks: got %s".formatted(MOST_BLOCKS_OF_A_CLUSTER, cluster));
        }
        if (grid.x() % cluster.x() + grid.y() % cluster.y() + grid.z() % cluster.z() != 0) {
            wrong.add(
                    ".reqnctapercluster wants a grid of whole clusters of %s blocks: got %s".formatted(cluster, grid));
        }
        long actors = cluster.count() * program.actors(configuration.warps());
        if (actors > Access.MOST_ACTORS) {
            wrong.add("the emulator takes at most %d warps and warpgroups that multiply in a cluster: got %d"
                    .formatted(Access.MOST_ACTORS, actors));
        }
        if (!wrong.isEmpty()) {
            throw new EmulatorFault(LAUNCH, entry.line(), program.name + ": " + String.join("; ", wrong));
        }
    }

    private static long product(List<Integer> sizes) {
        return sizes == null ? 0 : sizes.stream().mapToLong(Integer::longValue).reduce(1, (a, b) -> a * b);
    }
}
