package org.quern.executor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import org.quern.executor.TunedPlans.AttentionRow;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.ExampleDevices;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;

class TunedPlansTest {
    private static final DeviceProperties DEVICE = ExampleDevices.of("sm_90").orElseThrow();
    private static final Shape SHAPE = new Shape(4096, 768, 3072, false, true);
    private static final Shape OTHER = new Shape(4096, 768, 3072, false, false);

    @TempDir
    private Path folder;

    private static TunedPlans.Row row(KernelProvider provider, Shape shape, String tile, int splits) {
        return new TunedPlans.Row("test", provider, shape, tile, splits, 1e-4, 0.01, 2e-4, 5);
    }

    private static TunedPlans table(TunedPlans.Row... rows) {
        return new TunedPlans(
                DEVICE.name(),
                DEVICE.multiprocessors(),
                "driver",
                "0",
                "2026-01-01",
                "quern",
                "hash",
                List.of(rows),
                List.of());
    }

    @Test
    void whatWasMeasuredIsTaken() {
        TunedPlans plans = table(
                row(KernelProvider.PTX, SHAPE, "SMALL", 7),
                row(KernelProvider.WARPGROUPS, SHAPE, "N64", 5),
                row(KernelProvider.FP8, SHAPE, "N128", 3));
        assertThat(plans.warps(DEVICE, SHAPE)).isEqualTo(new MatMulPlan(MatMulPlan.Tile.SMALL, 7));
        assertThat(plans.warpgroups(DEVICE, SHAPE)).isEqualTo(new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N64, 5));
        assertThat(plans.fp8(DEVICE, SHAPE)).isEqualTo(new Fp8MatMul.Plan(WarpgroupMatMulPlan.Tile.N128, 3));
        // Stored the other way round, the weights become the same.
        assertThat(plans.fp8(DEVICE, OTHER)).isEqualTo(plans.fp8(DEVICE, SHAPE));
        assertThat(plans.warpgroups(DEVICE, OTHER)).isEqualTo(WarpgroupMatMulPlan.choose(DEVICE, OTHER));
    }

    @Test
    void elseTheModelChooses() {
        TunedPlans plans = table(
                row(KernelProvider.PTX, SHAPE, "a tile of before", 7),
                // One that there is, but not for such floats.
                row(KernelProvider.FP8, SHAPE, "N256", 1));
        assertThat(plans.fp8(DEVICE, SHAPE)).isEqualTo(Fp8MatMul.Plan.choose(DEVICE, SHAPE.m(), SHAPE.n(), SHAPE.k()));
        MatMulPlan model = MatMulPlan.choose(DEVICE, SHAPE.m(), SHAPE.n(), SHAPE.k());
        assertThat(plans.warps(DEVICE, SHAPE)).isEqualTo(model);
        assertThat(plans.warps(DEVICE, OTHER)).isEqualTo(model);
        assertThat(plans.warpgroups(DEVICE, SHAPE)).isEqualTo(WarpgroupMatMulPlan.choose(DEVICE, SHAPE));
    }

    @Test
    void anotherNumberOfTokensTakesTheNearest() {
        Shape gradient = new Shape(768, 3072, 65_536, true, false);
        TunedPlans plans = table(
                row(KernelProvider.PTX, SHAPE, "SMALL", 7),
                row(KernelProvider.PTX, tokens(SHAPE, 1024), "MEDIUM", 2),
                row(KernelProvider.PTX, gradient, "MEDIUM", 3));
        assertThat(plans.warps(DEVICE, tokens(SHAPE, 3000))).isEqualTo(new MatMulPlan(MatMulPlan.Tile.SMALL, 7));
        assertThat(plans.warps(DEVICE, tokens(SHAPE, 512))).isEqualTo(new MatMulPlan(MatMulPlan.Tile.MEDIUM, 2));
        assertThat(plans.warps(DEVICE, new Shape(768, 3072, 32_768, true, false)))
                .isEqualTo(new MatMulPlan(MatMulPlan.Tile.MEDIUM, 3));
        // More than four times as many; and parts that take more than 128 MiB.
        assertThat(plans.nearest(KernelProvider.PTX, tokens(SHAPE, 100))).isEmpty();
        assertThat(plans.warps(DEVICE, tokens(SHAPE, 16_384))).isNotEqualTo(new MatMulPlan(MatMulPlan.Tile.SMALL, 7));
    }

    private static Shape tokens(Shape shape, int tokens) {
        return new Shape(tokens, shape.n(), shape.k(), false, shape.transposeB());
    }

    @Test
    void aNewRowReplacesTheOldOne() {
        TunedPlans plans = table(row(KernelProvider.PTX, SHAPE, "SMALL", 7), row(KernelProvider.PTX, OTHER, "LARGE", 1))
                .with(row(KernelProvider.PTX, SHAPE, "MEDIUM", 2), "2026-02-02");
        assertThat(plans.products()).hasSize(2);
        assertThat(plans.row(KernelProvider.PTX, SHAPE).orElseThrow().tile()).isEqualTo("MEDIUM");
        assertThat(plans.date()).isEqualTo("2026-02-02");
    }

    @Test
    void theFasterFormOfAGradientIsTaken() {
        Attention.Shape shape = new Attention.Shape(64, 1024, 12, 12, 64, 0);
        Attention.Shape longer = new Attention.Shape(1, 16_384, 12, 12, 64, 0);
        assertThat(table().attentionGradient(DEVICE, shape)).isEqualTo(Gradient.FUSED);
        assertThat(table().attentionGradient(DEVICE, longer)).isEqualTo(Gradient.TWO_KERNELS);
        TunedPlans plans = table().with(row(shape, Gradient.TWO_KERNELS), "2026-02-02");
        assertThat(plans.attentionGradient(DEVICE, shape)).isEqualTo(Gradient.TWO_KERNELS);
        assertThat(plans.date()).isEqualTo("2026-02-02");
    }

    @Test
    void ofAnAttentionTheSequencesMayDiffer() {
        Attention.Shape shape = new Attention.Shape(64, 1024, 12, 12, 64, 0);
        TunedPlans plans = table().with(row(shape, Gradient.TWO_KERNELS), "2026-02-02");
        assertThat(plans.attentionGradient(DEVICE, new Attention.Shape(32, 1024, 12, 12, 64, 0)))
                .isEqualTo(Gradient.TWO_KERNELS);
        assertThat(plans.attentionGradient(DEVICE, new Attention.Shape(64, 512, 12, 12, 64, 0)))
                .isEqualTo(Gradient.FUSED);
        // Too few heads for the fused form, whatever is faster where there are many.
        plans = plans.with(row(shape, Gradient.FUSED), "2026-02-02");
        assertThat(plans.attentions()).hasSize(1);
        assertThat(plans.attentionGradient(DEVICE, new Attention.Shape(1, 1024, 12, 12, 64, 0)))
                .isEqualTo(Gradient.TWO_KERNELS);
    }

    @Test
    void aFormThatWasWrongIsNotTakenOnAModelsWord() {
        Attention.Shape shape = new Attention.Shape(64, 1024, 12, 12, 64, 0);
        Attention.Shape wider = new Attention.Shape(64, 1024, 12, 12, 128, 0);
        TunedPlans plans =
                table().with(new AttentionRow("test", shape, Gradient.TWO_KERNELS, 1e-4, 0.01, 0), "2026-02-02");
        assertThat(plans.attentionGradient(DEVICE, new Attention.Shape(40, 512, 16, 16, 64, 0)))
                .isEqualTo(Gradient.TWO_KERNELS);
        assertThat(plans.attentionGradient(DEVICE, wider)).isEqualTo(Gradient.choose(DEVICE, wider));
    }

    private static AttentionRow row(Attention.Shape shape, Gradient gradient) {
        return new AttentionRow("test", shape, gradient, 1e-4, 0.01, 2e-4);
    }

    @Test
    void isReadAsItWasWritten() throws Exception {
        TunedPlans plans = table(row(KernelProvider.WARPGROUPS, SHAPE, "N256", 1))
                .with(row(new Attention.Shape(1, 300, 4, 2, 64, 17), Gradient.FUSED), "2026-02-02");
        Path file = folder.resolve("tuned/device.json");
        plans.write(file);
        plans.write(file);
        assertThat(TunedPlans.read(file)).isEqualTo(plans);
        assertThat(file.getParent()).isDirectoryNotContaining(path -> !path.equals(file));
    }

    @Test
    void aFileThatIsNoTableIsNamed() throws Exception {
        Path file = folder.resolve("device.json");
        Files.writeString(file, "{\"device\": 3");
        assertThatThrownBy(() -> TunedPlans.read(file))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining(file + " must be a table of `quern kernels tune`");
        table(row(KernelProvider.PTX, SHAPE, "SMALL", 7)).write(file);
        Files.writeString(file, Files.readString(file).replaceAll("\"splits\" : 7", "\"splits\" : 0"));
        assertThatThrownBy(() -> TunedPlans.read(file))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("splits must be at least 1: got 0");
    }
}
