package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.gpu.EmulatedGpu;
import org.quern.kernels.bench.Product.Ending;
import org.quern.kernels.bench.ProductTuner.Tried;
import org.quern.kernels.bench.ProductTuner.Tuned;
import org.quern.kernels.bench.ProductTuner.TunedGradient;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;
import org.quern.ptx.emulator.Options;

class ProductTunerTest {
    private static final Gradient[] FORMS = Gradient.values();

    /// @param times of the plans in the order in which they are timed, in seconds
    private static Tuned tune(
            Options.Device limits, Product product, List<? extends ProductPlan> plans, double... times) {
        return tune(limits, tuner -> tuner.tune(product, plans), times);
    }

    private static <T> T tune(Options.Device limits, Function<ProductTuner, T> tuning, double... times) {
        Iterator<Double> clock = DoubleStream.of(times).iterator();
        EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withDevice(limits));
        try (KernelDevice device = new KernelDevice(gpu, LoadedKernels.asText(gpu));
                ProductTuner tuner = new ProductTuner(device, 1, (_, _) -> new Timing(List.of(clock.next())))) {
            return tuning.apply(tuner);
        }
    }

    private static Product product(Ending ending) {
        return new Product("test", new Shape(136, 72, 136, ending == Ending.ACCUMULATE, false), ending);
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    void plansOfBothKindsAreRightAndTheFastestIsFirst(Ending ending) {
        List<ProductPlan> plans = List.of(
                new MatMulPlan(MatMulPlan.Tile.LARGE, 1),
                new MatMulPlan(MatMulPlan.Tile.SMALL, 2),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N64, 1),
                new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N128, 3));
        // The three that seem the fastest, in this order, are timed again.
        Tuned tuned = tune(Options.Device.SM_90, product(ending), plans, 4, 9, 2, 3, 2.5, 2.1, 2.2);
        assertThat(tuned.refusals()).isEmpty();
        assertThat(tuned.tried())
                .extracting(Tried::plan)
                .containsExactly(plans.get(3), plans.get(0), plans.get(2), plans.get(1));
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    void plansInFloatsOf8BitsAreRight(Ending ending) {
        List<ProductPlan> plans = List.of(
                new Fp8MatMul.Plan(WarpgroupMatMulPlan.Tile.N192_PAIR, 1),
                new Fp8MatMul.Plan(WarpgroupMatMulPlan.Tile.N128, 2));
        Tuned tuned = tune(Options.Device.SM_90, product(ending), plans, 2, 1, 1, 2);
        assertThat(tuned.refusals()).isEmpty();
        assertThat(tuned.tried()).extracting(Tried::plan).containsExactly(plans.get(1), plans.get(0));
    }

    @Test
    void bothFormsOfAGradientAreRight() {
        AttentionTraining training = new AttentionTraining("test", new Attention.Shape(2, 200, 2, 1, 64, 0));
        TunedGradient tuned = tune(Options.Device.SM_90, tuner -> tuner.tune(training, List.of(FORMS)), 2, 1);
        assertThat(tuned.refusals()).isEmpty();
        assertThat(tuned.times()).containsOnlyKeys(FORMS);
        assertThat(tuned.times().get(Gradient.FUSED).median()).isEqualTo(1);
        TunedGradient lacking = tune(Options.Device.SM_80, tuner -> tuner.tune(training, List.of(FORMS)));
        assertThat(lacking.times()).isEmpty();
        assertThat(lacking.refusals()).containsOnlyKeys(FORMS);
    }

    @Test
    void whatTheDeviceLacksIsNamed() {
        Tuned tuned = tune(
                Options.Device.SM_80,
                product(Ending.NONE),
                List.of(
                        new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N64, 1),
                        new MatMulPlan(MatMulPlan.Tile.SMALL, 1)),
                1,
                1);
        assertThat(tuned.tried()).extracting(Tried::plan).containsExactly(new MatMulPlan(MatMulPlan.Tile.SMALL, 1));
        assertThat(tuned.refusals()).containsOnlyKeys("N64, k in 1");
        assertThat(tuned.refusals().get("N64, k in 1")).contains("sm_90a");
    }

    @Test
    void aDifferenceIsMoreThanRoundings() {
        float[] expected = {0, 1, -100};
        assertThat(ProductTuner.difference(72, ProductTuner.ROUNDING, expected, new float[] {1e-3f, 1.005f, -100.5f}))
                .isNull();
        assertThat(ProductTuner.difference(2, ProductTuner.ROUNDING, expected, new float[] {0, 1, -102}))
                .isEqualTo("gives -102.0 instead of -100.0 in column 0");
        assertThat(ProductTuner.difference(72, ProductTuner.ROUNDING, expected, new float[] {0, Float.NaN, -100}))
                .contains("NaN");
    }
}
