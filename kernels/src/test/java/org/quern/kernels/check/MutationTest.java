package org.quern.kernels.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.GpuModule;
import org.quern.gpu.ModuleImage;
import org.quern.kernels.check.Mutations.Kind;
import org.quern.kernels.check.Mutations.Mutation;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.PtxTemplate;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Schedule;

/// Plants faults into the kernels, one at a time, and asks whether the emulator or the comparison with the reference
/// finds them. The report is `target/mutations/FAMILY.md`.
///
/// `-Dmutations.family=matmul` looks at one family, `-Dmutations.sample=100` plants more of what is frequent.
@Tag("slow")
class MutationTest {
    private static final int SAMPLE = Integer.getInteger("mutations.sample", 25);
    private static final String FAMILY = System.getProperty("mutations.family", "");
    /// Variants of a file that are looked at: those that differ most in their parameters.
    private static final int VARIANTS_PER_FILE = Integer.getInteger("mutations.variants", 4);

    /// Enough for each case as it is; a kernel that takes so much longer is a found one.
    private static final long BUDGET = 50_000_000;

    private static final Options DEFAULT = Options.DEFAULT.withInstructionBudget(BUDGET);
    private static final List<Options> CONDITIONS = List.of(
            DEFAULT.withSeed(1).withCopies(Copies.LAZY).withSchedule(Schedule.RANDOM),
            DEFAULT.withSeed(2).withCopies(Copies.EAGER).withSchedule(Schedule.ADVERSARIAL),
            DEFAULT.withSeed(3).withCopies(Copies.RANDOM).withSchedule(Schedule.RANDOM));

    static Stream<KernelFamily> families() {
        return KernelCatalog.families().stream()
                .filter(family -> FAMILY.isEmpty() || family.name().equals(FAMILY));
    }

    @ParameterizedTest
    @MethodSource("families")
    void faultsAreFound(KernelFamily family) throws IOException {
        Map<KernelVariant, List<KernelCase>> users = users(family);
        Map<String, List<KernelVariant>> files = users.keySet().stream()
                .collect(Collectors.groupingBy(KernelVariant::file, TreeMap::new, Collectors.toList()));
        Map<Kind, int[]> counts = new EnumMap<>(Kind.class);
        List<String> survivors = new ArrayList<>();
        for (List<KernelVariant> variants : files.values()) {
            for (KernelVariant variant : chosen(variants)) {
                Set<KernelCase> order = new java.util.LinkedHashSet<>(users.get(variant));
                List<Mutation> mutations = Mutations.of(PtxTemplate.expand(variant), SAMPLE, 1);
                Map<Mutation, Boolean> found = new ConcurrentHashMap<>();
                mutations.parallelStream()
                        .forEach(mutation -> found.put(mutation, isFound(variant, mutation, List.copyOf(order))));
                for (Mutation mutation : mutations) {
                    int[] count = counts.computeIfAbsent(mutation.kind(), _ -> new int[2]);
                    count[0]++;
                    if (found.get(mutation)) {
                        count[1]++;
                    } else {
                        survivors.add("%s, %s: %s".formatted(variant.name(), mutation.kind(), mutation));
                    }
                }
            }
        }
        report(family, counts, survivors);
        int planted = counts.values().stream().mapToInt(count -> count[0]).sum();
        assertThat(survivors).hasSizeLessThanOrEqualTo(planted / 20);
    }

    private static void report(KernelFamily family, Map<Kind, int[]> counts, List<String> survivors)
            throws IOException {
        StringBuilder text = new StringBuilder("| fault | planted | found |\n|---|---|---|\n");
        counts.forEach(
                (kind, count) -> text.append("| %s | %d | %d |%n".formatted(kind.meaning(), count[0], count[1])));
        text.append('\n');
        survivors.forEach(survivor -> text.append("- ").append(survivor).append('\n'));
        Path folder = Files.createDirectories(Path.of("target/mutations"));
        Files.writeString(folder.resolve(family.name() + ".md"), text);
    }

    /// Evenly spread over the variants of a file.
    private static List<KernelVariant> chosen(List<KernelVariant> variants) {
        List<KernelVariant> sorted = variants.stream()
                .sorted(Comparator.comparing(KernelVariant::name))
                .toList();
        Set<Integer> picked = new TreeSet<>();
        for (int i = 0; i < Math.min(VARIANTS_PER_FILE, sorted.size()); i++) {
            picked.add(i * sorted.size() / Math.min(VARIANTS_PER_FILE, sorted.size()));
        }
        return picked.stream().map(sorted::get).toList();
    }

    /// The cases that use each variant, the quickest first.
    private static Map<KernelVariant, List<KernelCase>> users(KernelFamily family) {
        Map<KernelVariant, List<KernelCase>> users = new LinkedHashMap<>();
        Map<KernelCase, Long> nanos = new LinkedHashMap<>();
        family.cases().get().forEach(kernelCase -> {
            Set<KernelVariant> used = ConcurrentHashMap.newKeySet();
            long start = System.nanoTime();
            run(kernelCase, DEFAULT, (gpu, library) -> new Recording(library, used));
            nanos.put(kernelCase, System.nanoTime() - start);
            used.forEach(variant ->
                    users.computeIfAbsent(variant, _ -> new ArrayList<>()).add(kernelCase));
        });
        users.values().forEach(cases -> cases.sort(Comparator.comparing(nanos::get)));
        return users;
    }

    private static boolean isFound(KernelVariant variant, Mutation mutation, List<KernelCase> cases) {
        String text = mutation.text();
        for (Options conditions : CONDITIONS) {
            for (KernelCase kernelCase : cases) {
                try {
                    run(kernelCase, conditions, (gpu, library) -> new Mutated(gpu, library, variant, text));
                } catch (RuntimeException _) {
                    return true;
                }
            }
        }
        return false;
    }

    private interface Wrapper {
        KernelLibrary wrap(EmulatedGpu gpu, KernelLibrary library);
    }

    private static void run(KernelCase kernelCase, Options options, Wrapper wrapper) {
        try (EmulatedGpu gpu = new EmulatedGpu(options);
                KernelLibrary library = wrapper.wrap(gpu, LoadedKernels.asText(gpu));
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
