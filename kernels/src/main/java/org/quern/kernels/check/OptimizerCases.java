package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.AdamW;
import org.quern.kernels.cuda.AdamW.Settings;
import org.quern.kernels.cuda.AdamW.Tensors;
import org.quern.kernels.cuda.AdamW.Weights;
import org.quern.kernels.cuda.ElementType;
import org.quern.kernels.cuda.Muon;
import org.quern.kernels.cuda.Pointwise.Rounding;
import org.quern.ptx.KernelVariant;

/// Steps of AdamW with all ways to keep weights and moments, and what Muon needs beside its products.
public final class OptimizerCases {
    /// The largest tiles, of wide accesses and of single elements.
    private static final int TILE = 2048;

    private static final int SINGLES = 1024;

    private static final Settings SETTINGS = new Settings(0.9, 0.95, 1e-8, 0.1);
    private static final float FACTOR = 0.5f;
    private static final float RATE = 0.01f;
    private static final float CORRECTION1 = 0.271f;
    private static final float CORRECTION2 = 0.142625f;
    private static final long SEED = 0x0123456789ABCDEFL;
    private static final int STEP = 3;
    private static final int TENSOR = 11;

    private OptimizerCases() {}

    public static List<KernelVariant> variants() {
        return Stream.concat(AdamW.variants().stream(), Muon.variants().stream())
                .toList();
    }

    public static Stream<KernelCase> cases() {
        Stream<KernelCase> single = Stream.of(adamW(Weights.MASTER, ElementType.F32, ElementType.F32, 1));
        Stream<KernelCase> vectors = all(Sizes.VECTORS);
        Stream<KernelCase> many = all(Sizes.manyTiles(TILE)).map(one -> one.gridsFor(1));
        Stream<KernelCase> misaligned =
                all(Sizes.manyTiles(SINGLES)).map(one -> one.misaligned().gridsFor(1));
        return Stream.of(single, vectors, many, misaligned).flatMap(cases -> cases);
    }

    /// All variants and entries.
    private static Stream<KernelCase> all(int count) {
        List<KernelCase> cases = new ArrayList<>();
        for (ElementType type : ElementType.values()) {
            for (Weights weights : Weights.values()) {
                for (ElementType moments : ElementType.values()) {
                    cases.add(adamW(weights, type, moments, count));
                }
            }
            cases.add(momentum(type, count));
            cases.add(apply(type, false, count));
            cases.add(apply(type, true, count));
        }
        return cases.stream();
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.of(
                adamW(Weights.MASTER, ElementType.F32, ElementType.F32, 3_000_001),
                adamW(Weights.BF16, ElementType.BF16, ElementType.BF16, 1_000_001));
    }

    private static DeviceMemory upload(CheckDevice device, ElementType type, float[] values) {
        return type == ElementType.BF16 ? device.bf16(values) : device.f32(values);
    }

    private static float[] normal(CheckDevice device, ElementType type, int count, double deviation) {
        return type == ElementType.BF16 ? device.normalBf16(count, deviation) : device.normal(count, deviation);
    }

    private static KernelCase adamW(Weights weights, ElementType gradientType, ElementType momentType, int count) {
        String name =
                "adamw %d, %s weights, %s gradient, %s moments".formatted(count, weights, gradientType, momentType);
        return new KernelCase(name, device -> adamW(device, weights, gradientType, momentType, count));
    }

    private static void adamW(
            CheckDevice device, Weights weights, ElementType gradientType, ElementType momentType, int count) {
        ElementType weightType = weights == Weights.BF16 ? ElementType.BF16 : ElementType.F32;
        float[] parameter = normal(device, weightType, count, 1);
        float[] gradient = normal(device, gradientType, count, 1);
        float[] moment1 = normal(device, momentType, count, 0.3);
        float[] moment2 = normal(device, momentType, count, 0.3);
        for (int i = 0; i < count; i++) {
            moment2[i] = Math.abs(moment2[i]);
        }
        DeviceMemory parameters = upload(device, weightType, parameter);
        DeviceMemory copy = weights == Weights.MASTER ? device.outputBf16(count) : null;
        DeviceMemory first = upload(device, momentType, moment1);
        DeviceMemory second = upload(device, momentType, moment2);
        device.run(AdamW.of(
                device.library(),
                new Tensors(
                        weights,
                        parameters,
                        copy,
                        gradientType,
                        upload(device, gradientType, gradient),
                        momentType,
                        first,
                        second),
                device.f32(new float[] {9, FACTOR}),
                device.f32(new float[] {RATE, CORRECTION1, CORRECTION2}),
                SETTINGS,
                new Rounding(SEED, TENSOR, device.i32(new int[] {STEP})),
                count));

        double[] expected = new double[count];
        double[] expected1 = new double[count];
        double[] expected2 = new double[count];
        for (int i = 0; i < count; i++) {
            double g = (double) gradient[i] * FACTOR;
            expected1[i] = moment1[i] + (1 - SETTINGS.beta1()) * (g - moment1[i]);
            expected2[i] = SETTINGS.beta2() * moment2[i] + (1 - SETTINGS.beta2()) * g * g;
            expected[i] = parameter[i] * (1 - RATE * SETTINGS.weightDecay())
                    - RATE
                            / CORRECTION1
                            * expected1[i]
                            / (Math.sqrt(expected2[i]) / Math.sqrt(CORRECTION2) + SETTINGS.eps());
        }
        compare(device, "parameter", weightType, parameters, expected, 0);
        compare(device, "moment1", momentType, first, expected1, 1);
        compare(device, "moment2", momentType, second, expected2, 2);
        if (copy != null) {
            float[] exact = device.readF32(parameters);
            double[] rounded = new double[count];
            for (int i = 0; i < count; i++) {
                rounded[i] = Bf16.round(exact[i]);
            }
            device.compareExactly("copy", device.readBf16(copy), rounded);
        }
    }

    /// What is rounded stochastically may be on either side, but on the side that the random number says, unless the
    /// error of fp32 decides.
    private static void compare(
            CheckDevice device, String what, ElementType type, DeviceMemory memory, double[] expected, int use) {
        if (type == ElementType.F32) {
            device.compare(what, device.readF32(memory), expected, 2e-6, 1e-6);
            return;
        }
        double[] tolerated = new double[expected.length];
        double[] rounded = new double[expected.length];
        for (int i = 0; i < expected.length; i++) {
            rounded[i] = round((float) expected[i], use, i);
            double error = 2e-6 * Math.abs(expected[i]) + 1e-6;
            boolean decided =
                    round((float) (expected[i] - error), use, i) == round((float) (expected[i] + error), use, i);
            tolerated[i] = decided ? 0 : 2 * Bf16.ROUNDING * Math.abs(expected[i]) + error;
        }
        device.compare(what, device.readBf16(memory), rounded, 0, tolerated);
    }

    private static float round(float value, int use, int index) {
        return Philox4x32.round(value, SEED, 4 * TENSOR + use, STEP, index);
    }

    private static KernelCase momentum(ElementType updateType, int count) {
        return new KernelCase("nesterov momentum %d, %s update".formatted(count, updateType), device -> {
            float[] gradient = device.normal(count, 1);
            float[] buffer = device.normal(count, 1);
            DeviceMemory gradients = device.f32(gradient);
            DeviceMemory buffers = device.f32(buffer);
            DeviceMemory update = updateType == ElementType.BF16 ? device.outputBf16(count) : gradients;
            device.run(Muon.momentum(
                    device.library(),
                    gradients,
                    buffers,
                    device.f32(new float[] {9, FACTOR}),
                    update,
                    updateType,
                    count,
                    0.95));
            double[] expectedBuffer = new double[count];
            double[] expectedUpdate = new double[count];
            for (int i = 0; i < count; i++) {
                double g = (double) gradient[i] * FACTOR;
                expectedBuffer[i] = buffer[i] + (1 - 0.95) * (g - buffer[i]);
                expectedUpdate[i] = g + 0.95 * (expectedBuffer[i] - g);
            }
            device.compare("buffer", device.readF32(buffers), expectedBuffer, 1e-6, 1e-6);
            if (updateType == ElementType.BF16) {
                device.compare("update", device.readBf16(update), expectedUpdate, Bf16.ROUNDING, 1e-6);
            } else {
                device.compare("update", device.readF32(update), expectedUpdate, 1e-6, 1e-6);
            }
        });
    }

    private static KernelCase apply(ElementType updateType, boolean copied, int count) {
        String name = "apply update %d, %s update%s".formatted(count, updateType, copied ? ", copied" : "");
        return new KernelCase(name, device -> {
            float[] parameter = device.normal(count, 1);
            float[] update = normal(device, updateType, count, 1);
            DeviceMemory parameters = device.f32(parameter);
            DeviceMemory copy = copied ? device.outputBf16(count) : null;
            device.run(Muon.apply(
                    device.library(),
                    parameters,
                    copy,
                    upload(device, updateType, update),
                    updateType,
                    device.f32(new float[] {RATE, 1, 1}),
                    count,
                    0.2,
                    0.1));
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = parameter[i] * (1 - RATE * 0.1) - RATE * 0.2 * update[i];
            }
            float[] actual = device.readF32(parameters);
            device.compare("parameter", actual, expected, 1e-6, 1e-8);
            if (copied) {
                double[] rounded = new double[count];
                for (int i = 0; i < count; i++) {
                    rounded[i] = Bf16.round(actual[i]);
                }
                device.compareExactly("copy", device.readBf16(copy), rounded);
            }
        });
    }
}
