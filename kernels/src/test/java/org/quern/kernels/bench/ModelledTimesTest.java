package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.kernels.bench.ModelledTimes.Side;
import org.quern.kernels.bench.Product.Ending;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.FusedAttentionGradient.Plan;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;
import org.quern.ptx.emulator.Options;

/// What is extrapolated is what would be counted.
class ModelledTimesTest {
    static Stream<ProductPlan> plans() {
        return Stream.of(
                new MatMulPlan(MatMulPlan.Tile.MEDIUM, 1),
                new MatMulPlan(MatMulPlan.Tile.SMALL, 3),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N64, 1),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N128, 3),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N256_PAIR, 1),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N256_PAIR, 3),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.TURNS_PAIR, 1),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.TURNS_PAIR, 2),
                new Fp8MatMul.Plan(WarpgroupMatMulPlan.Tile.N128, 1),
                new Fp8MatMul.Plan(WarpgroupMatMulPlan.Tile.N192_PAIR, 3));
    }

    @ParameterizedTest
    @MethodSource("plans")
    void productsOfWholeTilesAreExact(ProductPlan plan) {
        Shape shape = new Shape(
                3 * plan.tile().blocks() * plan.tile().m(), 2 * plan.tile().n(), 12 * plan.tileK(), true, false);
        Product product = new Product("", shape, Ending.ACCUMULATE);
        Side side = plan instanceof MatMulPlan ? Side.WARPS : Side.WARPGROUPS;
        Options.Device device = plan instanceof MatMulPlan ? Options.Device.SM_80 : Options.Device.SM_90;
        assertEqual(
                new ModelledTimes().counted(side, plan, product).all(), EmulatedBench.count(product.by(plan), device));
    }

    @ParameterizedTest
    @CsvSource({"0, WARPS", "1, WARPS", "0, WARPGROUPS", "1, WARPGROUPS"})
    void attentionIsExact(int pass, Side side) {
        Attention.Shape shape = new Attention.Shape(1, 384, 2, 1, 64, 0);
        KernelBenchmark benchmark =
                AttentionBenchmarks.training("", shape).toList().get(pass);
        KernelCounts counts = side == Side.WARPGROUPS
                ? EmulatedBench.count(benchmark.libraries().get("wgmma"), Options.Device.SM_90)
                : EmulatedBench.count(benchmark);
        assertEqual(new ModelledTimes().counts(side, shape, pass), counts);
    }

    @Test
    void fusedAttentionIsExact() {
        Attention.Shape shape = new Attention.Shape(1, 640, 2, 1, 64, 0);
        Plan plan = new Plan(1, 256);
        assertEqual(
                new FusedCounts().counts(shape, plan),
                EmulatedBench.count(AttentionBenchmarks.gradient(plan, shape), Options.Device.SM_90));
    }

    /// But for the instructions of polls, of which clusters have more, for the rounding of bytes to sectors, and for
    /// reads of where documents begin at the edges of chunks.
    private static void assertEqual(KernelCounts actual, KernelCounts expected) {
        assertThat(actual)
                .usingRecursiveComparison()
                .ignoringFields("instructions", "sectors", "idealSectors")
                .isEqualTo(expected);
        assertThat(actual.instructions()).isCloseTo(expected.instructions(), withinPercentage(1));
        assertThat(actual.sectors()).isCloseTo(expected.sectors(), withinPercentage(0.01));
        assertThat(actual.idealSectors()).isCloseTo(expected.idealSectors(), withinPercentage(0.1));
    }

    @Test
    void multicastSavesHalfOfWhatIsReadOfB() {
        Product product = new Product("", new Shape(256, 256, 640, false, true), Ending.NONE);
        long alone = sectors(product, WarpgroupMatMulPlan.Tile.N256);
        long pair = sectors(product, WarpgroupMatMulPlan.Tile.N256_PAIR);
        assertThat(alone - pair).isEqualTo(256 * 640 * Short.BYTES / 32);
    }

    private static long sectors(Product product, WarpgroupMatMulPlan.Tile tile) {
        return EmulatedBench.count(product.by(new WarpgroupMatMulPlan(tile, 1)), Options.Device.SM_90)
                .sectors();
    }

    @Test
    void thePageSaysSo() throws Exception {
        ModelledPage page = new ModelledPage();
        assertThat(Files.readAllLines(Path.of("KERNELS.md")))
                .as("launcher/bin/quern kernels table > kernels/KERNELS.md")
                .contains(
                        page.line(BenchmarkCatalog.products().getFirst()),
                        page.tiles(BenchmarkCatalog.products().getFirst()),
                        page.line(MatMulBenchmarks.LAYERS.getFirst()),
                        page.line(AttentionBenchmarks.TRAININGS.getFirst(), 0),
                        page.forms(AttentionBenchmarks.TRAININGS.getFirst()));
    }

    @Test
    void namesTheLimitOfABenchmark() {
        ModelledTimes modelled = new ModelledTimes();
        Product product = BenchmarkCatalog.products().getFirst();
        Map<String, ModelledTimes.Limit> limits = modelled.limits(product.name());
        assertThat(limits).containsOnlyKeys("wgmma");
        assertThat(new ModelledPage().line(product)).contains(columns(limits.get("wgmma")));
        assertThat(modelled.limits("layer_norm forward 65536x768")).isEmpty();
    }

    @Test
    void namesTheLimitsOfBothFormsOfAGradient() {
        ModelledTimes modelled = new ModelledTimes();
        AttentionTraining training = BenchmarkCatalog.attentions().getFirst();
        assertThat(modelled.limits("attention forward " + training.name())).containsOnlyKeys("wgmma");
        Map<String, ModelledTimes.Limit> limits = modelled.limits(training.backward());
        assertThat(limits).containsOnlyKeys("wgmma", "wgmma fused");
        assertThat(new ModelledPage().forms(training))
                .contains(columns(limits.get("wgmma")), columns(limits.get("wgmma fused")));
    }

    private static String columns(ModelledTimes.Limit limit) {
        return " %.3f ms | %s | ".formatted(1e3 * limit.seconds(), limit.part());
    }
}
