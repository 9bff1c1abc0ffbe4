package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.kernels.check.CheckDevice.Result;
import org.quern.kernels.check.KernelCase;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupMatMulPlan.Tile;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Statistics;

class WarpgroupMatMulTest extends KernelFamilyTest {
    WarpgroupMatMulTest() {
        super("warpgroup matmul", Options.Device.SM_90);
    }

    @Override
    void inspect(List<Statistics> launches) {
        assertThat(launches)
                .allSatisfy(launch -> assertThat(launch.accesses())
                        .allSatisfy(access -> assertThat(access.bankConflicts()).isZero()));
    }

    /// They read less of the second-level cache, by which the others are limited.
    @ParameterizedTest
    @CsvSource({"65536, 768, 768", "65536, 50304, 768", "2304, 768, 65536", "8192, 4096, 14336"})
    void pairsAreChosenForLargeProducts(int m, int n, int k) {
        assertThat(WarpgroupMatMulPlan.choose(MatMulPlanTest.H100, new Shape(m, n, k, false, true))
                        .tile())
                .isEqualTo(Tile.N256_PAIR);
    }

    /// More multiprocessors have work.
    @Test
    void smallTilesAreChosenForSmallProducts() {
        assertThat(WarpgroupMatMulPlan.choose(MatMulPlanTest.H100, new Shape(1024, 1024, 1024, false, true))
                        .tile())
                .isEqualTo(Tile.N128);
    }

    /// The order of sums is the same.
    @ParameterizedTest
    @ValueSource(strings = {"n256_pair", "turns_pair"})
    void clustersAndTurnsChangeNoBit(String tile) {
        Map<String, KernelCase> byName = cases().collect(Collectors.toMap(KernelCase::name, Function.identity()));
        List<KernelCase> pairs = byName.values().stream()
                .filter(each -> each.name().contains(tile) && each.name().contains("random"))
                .filter(each -> byName.containsKey(each.name().replace(tile, "n256")))
                .toList();
        assertThat(pairs).isNotEmpty();
        for (KernelCase pair : pairs) {
            List<Result> results = devices.getFirst().run(pair);
            List<Result> alone = devices.getFirst().run(byName.get(pair.name().replace(tile, "n256")));
            assertThat(results).hasSameSizeAs(alone);
            for (int i = 0; i < results.size(); i++) {
                assertThat(results.get(i).values())
                        .as(pair.name())
                        .isEqualTo(alone.get(i).values());
            }
        }
    }
}
