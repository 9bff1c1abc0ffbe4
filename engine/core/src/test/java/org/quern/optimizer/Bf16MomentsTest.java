package org.quern.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Executor;
import org.quern.executor.GpuExecutor;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.gpu.EmulatedGpu;
import org.quern.graph.Shape;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;

/// AdamW with moments in bf16, whose kernels for the CPU and for the GPU were written apart.
class Bf16MomentsTest {
    private static final int SIZE = 9001;
    private static final OptimizerSettings SETTINGS =
            new OptimizerSettings(0.01, 0.9, 0.95, 1e-8, 0.1, 0, Optional.of(5L), Optional.empty());

    /// What three updates leave behind.
    private record Result(float[] weights, int[] first, int[] second) {}

    /// The same random numbers round the same moments, but where the last bit of fp32 decides.
    @Test
    void devicesRoundAlike() {
        Result cpu = run(new CpuExecutor(2));
        EmulatedGpu device = new EmulatedGpu();
        Result gpu = run(new GpuExecutor(device, LoadedKernels.asText(device)));
        for (int i = 0; i < SIZE; i++) {
            assertThat(gpu.weights[i]).isCloseTo(cpu.weights[i], within(1e-4f));
        }
        assertAlike(gpu.first, cpu.first);
        assertAlike(gpu.second, cpu.second);
    }

    private static void assertAlike(int[] found, int[] expected) {
        int others = 0;
        for (int i = 0; i < SIZE; i++) {
            assertThat(Math.abs(found[i] - expected[i])).as("element " + i).isLessThanOrEqualTo(1);
            others += found[i] == expected[i] ? 0 : 1;
        }
        assertThat(others).isLessThan(SIZE / 1000);
    }

    /// Rounding to the nearest would leave the first moment at about a quarter, where what a step adds gets less than
    /// half a place of bf16.
    @Test
    void smallChangesAddUp() {
        OptimizerSettings slow =
                new OptimizerSettings(0.01, 0.999, 0.999, 1e-8, 0, 0, Optional.of(5L), Optional.empty());
        try (CpuExecutor executor = new CpuExecutor(1)) {
            Program update = prepare(executor, slow);
            TensorStore tensors = executor.tensors();
            for (long i = 0; i < SIZE; i++) {
                tensors.host(ModelGraphs.gradient("w")).setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
            }
            for (int step = 1; step <= 500; step++) {
                step(tensors, update, step);
            }
            double mean = 0;
            for (long i = 0; i < SIZE; i++) {
                int bits = tensors.host("exp_avg.w").getAtIndex(ValueLayout.JAVA_SHORT, i) << 16;
                mean += Float.intBitsToFloat(bits) / SIZE;
            }
            assertThat(mean).isCloseTo(1 - Math.pow(0.999, 500), within(2e-3));
        }
    }

    private static Result run(Executor executor) {
        try (executor) {
            Program update = prepare(executor, SETTINGS);
            TensorStore tensors = executor.tensors();
            Random random = new Random(7);
            fill(tensors.host("w"), random);
            tensors.push("w");
            for (int step = 1; step <= 3; step++) {
                fill(tensors.host(ModelGraphs.gradient("w")), random);
                tensors.push(ModelGraphs.gradient("w"));
                step(tensors, update, step);
            }
            List.of("w", "exp_avg.w", "exp_avg_sq.w").forEach(tensors::pull);
            return new Result(
                    tensors.host("w").toArray(ValueLayout.JAVA_FLOAT),
                    bits(tensors.host("exp_avg.w")),
                    bits(tensors.host("exp_avg_sq.w")));
        }
    }

    private static Program prepare(Executor executor, OptimizerSettings settings) {
        Shape shape = Shape.of(SIZE);
        Parameter parameter = new Parameter(
                "w",
                shape,
                Parameter.Kind.VECTOR,
                new Parameter.Initial.Constant(0),
                List.of(new Parameter.Part("w", shape, 0)));
        return executor.prepare(new OptimizerGraphs(settings, List.of(parameter)).update());
    }

    private static void step(TensorStore tensors, Program update, int step) {
        tensors.host(OptimizerGraphs.CLIP).setAtIndex(ValueLayout.JAVA_FLOAT, 1, 1);
        tensors.push(OptimizerGraphs.CLIP);
        MemorySegment scalars = tensors.host(OptimizerGraphs.ADAMW_SCALARS);
        scalars.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 0.01f);
        scalars.setAtIndex(ValueLayout.JAVA_FLOAT, 1, (float) (1 - Math.pow(0.9, step)));
        scalars.setAtIndex(ValueLayout.JAVA_FLOAT, 2, (float) (1 - Math.pow(0.95, step)));
        tensors.push(OptimizerGraphs.ADAMW_SCALARS);
        tensors.host(OptimizerGraphs.UPDATE_NUMBER).set(ValueLayout.JAVA_INT, 0, step);
        tensors.push(OptimizerGraphs.UPDATE_NUMBER);
        update.run();
    }

    private static void fill(MemorySegment floats, Random random) {
        for (long i = 0; i < SIZE; i++) {
            floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
    }

    private static int[] bits(MemorySegment bf16) {
        int[] bits = new int[SIZE];
        for (int i = 0; i < SIZE; i++) {
            bits[i] = Short.toUnsignedInt(bf16.getAtIndex(ValueLayout.JAVA_SHORT, i));
        }
        return bits;
    }
}
