package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.GpuModule;
import org.quern.gpu.ModuleImage;
import org.quern.kernels.check.Mutations.Mutation;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.ProgrammaticKernels;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Schedule;

/// Cases by the kernels that they run, whatever their families: who finds a fault in a kernel.
final class Judges {
    /// A device that runs all kernels.
    private static final Options DEFAULT = Options.DEFAULT.withDevice(Options.Device.SM_90);

    private static final List<Options> CONDITIONS = List.of(
            DEFAULT.withSeed(1).withCopies(Copies.LAZY).withSchedule(Schedule.RANDOM),
            DEFAULT.withSeed(2).withCopies(Copies.EAGER).withSchedule(Schedule.ADVERSARIAL),
            DEFAULT.withSeed(3).withCopies(Copies.RANDOM).withSchedule(Schedule.RANDOM));

    /// A kernel that takes so many times the instructions of a case, and so many more, does not end.
    private static final long PATIENCE = 10;

    private static final long AT_LEAST = 100_000;

    private final Map<KernelVariant, List<Judge>> judges;

    /// @param instructions of all that the case launches
    private record Judge(KernelCase kernelCase, Set<KernelVariant> used, long instructions) {}

    private Judges(Map<KernelVariant, List<Judge>> judges) {
        this.judges = judges;
    }

    /// Runs each case once, to see what it uses.
    static Judges of(Stream<KernelCase> cases) {
        Map<KernelVariant, List<Judge>> judges = new HashMap<>();
        cases.parallel()
                .map(Judges::judge)
                .toList()
                .forEach(judge -> judge.used.forEach(variant ->
                        judges.computeIfAbsent(variant, _ -> new ArrayList<>()).add(judge)));
        judges.values().forEach(list -> list.sort(Comparator.comparingLong(Judge::instructions)));
        return new Judges(judges);
    }

    private static Judge judge(KernelCase kernelCase) {
        Set<KernelVariant> used = ConcurrentHashMap.newKeySet();
        AtomicLong instructions = new AtomicLong();
        run(kernelCase, DEFAULT, (gpu, library) -> {
            gpu.observe(launch -> instructions.addAndGet(
                    launch.instructions().values().stream().mapToLong(n -> n).sum()));
            return new Recording(library, used);
        });
        return new Judge(kernelCase, used, instructions.get());
    }

    /// The variants that have a judge.
    Set<KernelVariant> variants() {
        return judges.keySet();
    }

    /// Whether the emulator stops the kernel with the fault, or a case gives something else than it should.
    /// The smallest cases come first.
    boolean find(KernelVariant variant, Mutation mutation) {
        String text = mutation.text();
        for (Judge judge : judges.get(variant)) {
            for (Options conditions : CONDITIONS) {
                Options limited = conditions.withInstructionBudget(AT_LEAST + PATIENCE * judge.instructions);
                try {
                    run(judge.kernelCase, limited, (gpu, library) -> new Mutated(gpu, library, variant, text));
                } catch (RuntimeException _) {
                    return true;
                }
            }
        }
        return false;
    }

    private static void run(
            KernelCase kernelCase, Options options, BiFunction<EmulatedGpu, KernelLibrary, KernelLibrary> wrapper) {
        try (EmulatedGpu gpu = new EmulatedGpu(options);
                KernelLibrary library = new ProgrammaticKernels(wrapper.apply(gpu, LoadedKernels.asText(gpu)));
                CheckDevice device = new CheckDevice(gpu, library, 1, false)) {
            kernelCase.body().run(device);
        }
    }

    /// Remembers which variants are asked for.
    private record Recording(KernelLibrary library, Set<KernelVariant> used) implements KernelLibrary {
        @Override
        public DeviceProperties device() {
            return library.device();
        }

        @Override
        public GpuFunction function(KernelVariant variant, String entry) {
            used.add(variant);
            return library.function(variant, entry);
        }

        @Override
        public void close() {
            library.close();
        }
    }

    /// Has another text for one variant.
    private static final class Mutated implements KernelLibrary {
        private final EmulatedGpu gpu;
        private final KernelLibrary library;
        private final KernelVariant variant;
        private final String text;
        private GpuModule module;

        Mutated(EmulatedGpu gpu, KernelLibrary library, KernelVariant variant, String text) {
            this.gpu = gpu;
            this.library = library;
            this.variant = variant;
            this.text = text;
        }

        @Override
        public DeviceProperties device() {
            return library.device();
        }

        @Override
        public GpuFunction function(KernelVariant wanted, String entry) {
            if (!wanted.equals(variant)) {
                return library.function(wanted, entry);
            }
            if (module == null) {
                module = gpu.load(new ModuleImage(variant.name(), text, new byte[0]));
            }
            return module.function(entry);
        }

        @Override
        public void close() {
            if (module != null) {
                module.close();
            }
            library.close();
        }
    }
}
