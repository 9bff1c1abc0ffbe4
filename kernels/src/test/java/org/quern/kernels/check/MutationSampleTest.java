package org.quern.kernels.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.kernels.check.Mutations.Kind;
import org.quern.kernels.check.Mutations.Mutation;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.PtxTemplate;

/// A few faults of each kind, so that every build shows that they are found; `MutationTest` plants thousands.
@TestInstance(Lifecycle.PER_CLASS)
class MutationSampleTest {
    /// Of three kernels, small, and between them with faults of all kinds that kernels can have.
    private static final Pattern CASES =
            Pattern.compile("matmul nn .* (small|n64) residual by_8 .*|attention cached .x[19] heads .* of 16 .*");

    /// In each of the kernels.
    private static final int OF_A_KIND = 4;

    private static final long SEED = 1;

    private Judges judges;

    @BeforeAll
    void findJudges() {
        judges = Judges.of(KernelCatalog.cases(false)
                .map(CatalogCase::kernelCase)
                .filter(one -> CASES.matcher(one.name()).matches()));
    }

    static Set<Kind> kinds() {
        return EnumSet.allOf(Kind.class);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void faultsAreFound(Kind kind) {
        List<KernelVariant> variants = judges.variants().stream()
                .sorted(Comparator.comparing(KernelVariant::name))
                .toList();
        int planted = 0;
        for (KernelVariant variant : variants) {
            List<Mutation> all = Mutations.of(PtxTemplate.expand(variant)).getOrDefault(kind, List.of());
            List<Mutation> sample = Mutations.sample(all, OF_A_KIND, SEED);
            planted += sample.size();
            assertThat(sample.stream()
                            .filter(mutation -> !judges.find(variant, mutation))
                            .filter(survivor ->
                                    Survivors.reason(variant.file(), survivor).isEmpty()))
                    .as(variant.name())
                    .isEmpty();
        }
        assertThat(planted).isPositive();
    }
}
