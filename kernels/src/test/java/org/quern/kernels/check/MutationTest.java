package org.quern.kernels.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.kernels.check.MutationPage.Result;
import org.quern.kernels.check.Mutations.Mutation;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.PtxTemplate;

/// Plants faults into the kernels, one at a time, and asks whether the emulator or a comparison with a
/// reference finds them. Writes `target/mutations/MUTATIONS.md`, whose copy is `kernels/MUTATIONS.md`.
///
/// `-Dmutations.templates=norm.*` looks at some templates, or by their [names][KernelVariant#name] at some
/// variants; the page keeps what earlier runs found in the others.
@Tag("slow")
@TestInstance(Lifecycle.PER_CLASS)
class MutationTest {
    private static final String TEMPLATES = System.getProperty("mutations.templates", ".*");
    /// Of a template.
    private static final int VARIANTS = 4;
    /// Of one for warpgroups.
    private static final int WARPGROUP_VARIANTS = 12;
    /// Faults of a kind in a variant, where all would be many.
    private static final int SAMPLE = 25;

    private static final long SEED = 1;
    private static final int LEAST_SCORE = 950;

    private Judges judges;

    private static boolean isWanted(KernelVariant variant) {
        return variant.name().matches(TEMPLATES);
    }

    @BeforeAll
    void findJudges() {
        judges = Judges.of(KernelCatalog.families().stream()
                .filter(family -> family.variants().isEmpty()
                        || family.variants().stream().anyMatch(MutationTest::isWanted))
                .flatMap(family -> family.cases().get()));
    }

    static Stream<String> templates() {
        return KernelCatalog.families().stream()
                .flatMap(family -> family.variants().stream())
                .filter(MutationTest::isWanted)
                .map(KernelVariant::file)
                .distinct()
                .sorted();
    }

    @ParameterizedTest
    @MethodSource("templates")
    void faultsAreFound(String template) throws IOException {
        List<KernelVariant> variants = chosen(
                judges.variants().stream()
                        .filter(variant -> variant.file().equals(template) && isWanted(variant))
                        .sorted(Comparator.comparing(KernelVariant::name))
                        .toList(),
                template.endsWith(".sm_90a") ? WARPGROUP_VARIANTS : VARIANTS);
        List<Mutation> all = new ArrayList<>();
        List<Mutation> survivors = new ArrayList<>();
        for (KernelVariant variant : variants) {
            List<Mutation> planted = planted(PtxTemplate.expand(variant));
            all.addAll(planted);
            planted.parallelStream()
                    .filter(mutation -> !judges.find(variant, mutation))
                    .toList()
                    .forEach(survivors::add);
        }
        Result result = new Result(template, variants.size(), all, survivors);
        MutationPage.add(result);
        assertThat(result.unexplained()).isEmpty();
        assertThat(result.score()).isGreaterThanOrEqualTo(LEAST_SCORE);
    }

    @AfterAll
    void write() throws IOException {
        MutationPage.write(VARIANTS, WARPGROUP_VARIANTS, SAMPLE, SEED);
    }

    private static List<Mutation> planted(String kernel) {
        List<Mutation> planted = new ArrayList<>();
        Mutations.of(kernel).forEach((kind, all) -> {
            boolean whole = switch (kind) {
                case BARRIER, WAIT, ARRIVAL, COMMIT, FENCE, ZERO_FILL, DESCRIPTOR -> true;
                case SWIZZLE, STRIDE, OFFSET, FRAGMENT, SHUFFLE, GUARD -> false;
            };
            planted.addAll(whole ? all : Mutations.sample(all, SAMPLE, SEED + kind.ordinal()));
        });
        return planted;
    }

    /// Evenly spread over the variants of a file.
    private static List<KernelVariant> chosen(List<KernelVariant> variants, int most) {
        int count = Math.min(most, variants.size());
        return IntStream.range(0, count)
                .mapToObj(i -> variants.get(i * variants.size() / count))
                .toList();
    }
}
