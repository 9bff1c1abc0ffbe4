package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.kernels.check.CheckDevice.Result;
import org.quern.kernels.check.KernelCase;
import org.quern.kernels.cuda.WarpgroupMatMulPlan.Tile;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Statistics;

class Fp8Test extends KernelFamilyTest {
    Fp8Test() {
        super("fp8", Options.Device.SM_90);
    }

    /// The order of sums is the same.
    @Test
    void tilesChangeNoBit() {
        List<KernelCase> same =
                cases().filter(each -> each.name().contains("200x376x300")).toList();
        assertThat(same).hasSameSizeAs(Fp8MatMul.TILES);
        List<Result> first = devices.getFirst().run(same.getFirst());
        for (KernelCase other : same) {
            List<Result> results = devices.getFirst().run(other);
            assertThat(results).hasSameSizeAs(first);
            for (int i = 0; i < results.size(); i++) {
                assertThat(results.get(i).values())
                        .as(other.name())
                        .isEqualTo(first.get(i).values());
            }
        }
    }

    /// They read less of the second-level cache, by which the others are limited.
    @ParameterizedTest
    @CsvSource({"65536, 2304, 768", "65536, 768, 3072", "2304, 768, 65536", "8192, 4096, 14336"})
    void pairsAreChosenForLargeProducts(int m, int n, int k) {
        assertThat(Fp8MatMul.Plan.choose(MatMulPlanTest.H100, m, n, k).tile()).isEqualTo(Tile.N192_PAIR);
    }

    @Override
    void inspect(List<Statistics> launches) {
        assertThat(launches)
                .allSatisfy(launch -> assertThat(launch.accesses())
                        .allSatisfy(access -> assertThat(access.bankConflicts()).isZero()));
    }
}
