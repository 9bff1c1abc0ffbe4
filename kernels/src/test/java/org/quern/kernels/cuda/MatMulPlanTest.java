package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.cuda.MatMulPlan.Tile;

class MatMulPlanTest {
    static final DeviceProperties H100 =
            new DeviceProperties("H100", 9, 0, 132, 80L << 30, 232_448, 233_472, 65_536, 2048, 32, 50L << 20, 12_080);

    private static final int TOKENS = 65_536;

    @ParameterizedTest
    @CsvSource({"2304, 768", "768, 768", "3072, 768", "768, 3072", "50304, 768"})
    void splitsNoProductOfAllTokens(int n, int k) {
        MatMulPlan plan = MatMulPlan.choose(H100, TOKENS, n, k);
        assertThat(plan.splits()).isEqualTo(1);
        assertThat(plan.tile()).isNotEqualTo(Tile.SMALL);
        assertThat(plan.workspaceBytes(TOKENS, n)).isZero();
    }

    /// Few tiles, and a long way along the tokens: split until nearly all multiprocessors have work all the time.
    @ParameterizedTest
    @CsvSource({"2304, 768", "768, 768", "3072, 768", "768, 3072"})
    void splitsWeightGradients(int m, int n) {
        MatMulPlan plan = MatMulPlan.choose(H100, m, n, TOKENS);
        long blocks = plan.tile().tiles(m, n) * plan.splits();
        long places = Math.ceilDiv(blocks, H100.multiprocessors()) * H100.multiprocessors();
        assertThat((double) blocks / places).isGreaterThan(0.9);
        assertThat(plan.workspaceBytes(m, n)).isPositive().isLessThanOrEqualTo(128L << 20);
    }

    @Test
    void splitsProductsOfOneRow() {
        MatMulPlan plan = MatMulPlan.choose(H100, 1, 4096, 14_336);
        assertThat(plan.tile()).isEqualTo(Tile.SMALL);
        assertThat(plan.splits()).isGreaterThan(1);
    }

    @Test
    void splitsNotBeyondTheTilesOfK() {
        assertThat(MatMulPlan.choose(H100, 8, 8, 1).splits()).isEqualTo(1);
        assertThat(MatMulPlan.choose(H100, 8, 8, 100_000).splits()).isLessThanOrEqualTo(32);
    }

    @Test
    void takesTilesThatFitSharedMemory() {
        assertThat(MatMulPlan.choose(ofSharedMemory(49_152, 102_400), TOKENS, 768, 768)
                        .tile())
                .isEqualTo(Tile.SMALL);
    }

    /// One block of 4 warps is too little.
    @Test
    void takesTilesThatKeepAMultiprocessorBusy() {
        assertThat(MatMulPlan.choose(ofSharedMemory(101_376, 102_400), TOKENS, 768, 768)
                        .tile())
                .isEqualTo(Tile.LARGE);
    }

    private static DeviceProperties ofSharedMemory(int bytesPerBlock, int bytesPerMultiprocessor) {
        return new DeviceProperties(
                "GPU",
                8,
                9,
                128,
                24L << 30,
                bytesPerBlock,
                bytesPerMultiprocessor,
                65_536,
                1536,
                24,
                72L << 20,
                12_080);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 65_536})
    void rejectsSplitsBeyondAGrid(int splits) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new MatMulPlan(Tile.SMALL, splits))
                .withMessage("splits must be from 1 to 65535: got " + splits);
    }
}
