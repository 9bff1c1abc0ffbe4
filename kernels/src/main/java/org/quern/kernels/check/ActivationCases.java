package org.quern.kernels.check;

import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.Activation;
import org.quern.kernels.cuda.Activation.Function;
import org.quern.kernels.cuda.SwiGlu;
import org.quern.ptx.KernelVariant;

/// GELU, squared ReLU, SwiGLU, and their gradients.
public final class ActivationCases {
    /// The largest tiles, of wide accesses and of single elements.
    private static final int TILE = 8192;

    private static final int SINGLES = 1024;

    /// Of fp32 formulas, as a part of the terms' magnitudes.
    private static final double FORMULA = 1e-5;

    private ActivationCases() {}

    public static List<KernelVariant> variants() {
        return Stream.concat(Activation.variants().stream(), SwiGlu.variants().stream())
                .toList();
    }

    /// Less than a vector, vectors alone; many tiles with vectors and single elements behind them, also of
    /// misaligned tensors. Every gated entry goes over many rows, in one slice of columns and in more.
    public static Stream<KernelCase> cases() {
        Stream<KernelCase> functions = Stream.of(Function.values())
                .flatMap(function -> Stream.of(
                        forward(function, 1),
                        forward(function, Sizes.VECTORS),
                        forward(function, Sizes.manyTiles(TILE)).gridsFor(1),
                        forward(function, Sizes.manyTiles(SINGLES)).misaligned().gridsFor(1),
                        backward(function, false, 127)));
        Stream<KernelCase> gradients = Stream.of(Function.values())
                .flatMap(function -> Stream.of(false, true)
                        .flatMap(accumulate -> Stream.of(
                                backward(function, accumulate, Sizes.VECTORS),
                                backward(function, accumulate, Sizes.manyTiles(TILE))
                                        .gridsFor(1),
                                backward(function, accumulate, Sizes.manyTiles(SINGLES))
                                        .misaligned()
                                        .gridsFor(1))));
        Stream<KernelCase> gated = Stream.of(
                        new int[] {1, 1}, new int[] {200, 64}, new int[] {19, 2064}, new int[] {19, 300})
                .flatMap(size -> Stream.of(
                        gatedForward(size[0], size[1]).gridsFor(1),
                        gatedBackward(size[0], size[1], false).gridsFor(1),
                        gatedBackward(size[0], size[1], true).gridsFor(1)));
        return Stream.of(functions, gradients, gated).flatMap(cases -> cases);
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.concat(
                Stream.of(Function.values())
                        .flatMap(function ->
                                Stream.of(forward(function, 4_000_001), backward(function, true, 4_000_001))),
                Stream.of(gatedForward(400, 2048), gatedBackward(400, 2048, true)));
    }

    private static KernelCase forward(Function function, int count) {
        return new KernelCase("%s forward %d".formatted(function, count), device -> {
            float[] x = device.normalBf16(count, 3);
            if (count > 8) {
                x[3] = -40;
                x[5] = 40;
            }
            DeviceMemory y = device.outputBf16(count);
            device.run(Activation.forward(device.library(), function, device.bf16(x), y, count));
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = value(function, x[i]);
            }
            device.compare("y", device.readBf16(y), expected, Bf16.ROUNDING + FORMULA, 1e-30);
        });
    }

    private static KernelCase backward(Function function, boolean accumulate, int count) {
        String name = "%s gradient %d%s".formatted(function, count, accumulate ? " accumulated" : "");
        return new KernelCase(name, device -> {
            float[] x = device.normalBf16(count, 3);
            float[] dy = device.normalBf16(count, 1);
            float[] old = device.normalBf16(count, 1);
            DeviceMemory dx = accumulate ? device.bf16(old) : device.outputBf16(count);
            device.run(Activation.backward(
                    device.library(), function, device.bf16(x), device.bf16(dy), dx, accumulate, count));
            double[] expected = new double[count];
            double[] tolerated = new double[count];
            for (int i = 0; i < count; i++) {
                double change = dy[i] * slope(function, x[i]);
                expected[i] = change + (accumulate ? old[i] : 0);
                tolerated[i] = FORMULA * (Math.abs(dy[i]) * (1 + Math.abs(x[i])));
            }
            device.compare("dx", device.readBf16(dx), expected, Bf16.ROUNDING, tolerated);
        });
    }

    private static double sigmoid(double z) {
        return 1 / (1 + Math.exp(-z));
    }

    private static double value(Function function, double x) {
        return switch (function) {
            case GELU -> x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x));
            case RELU_SQUARED -> Math.max(x, 0) * Math.max(x, 0);
        };
    }

    private static double slope(Function function, double x) {
        return switch (function) {
            case GELU -> {
                double s = sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x));
                yield s + x * s * (1 - s) * 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
            }
            case RELU_SQUARED -> 2 * Math.max(x, 0);
        };
    }

    private static KernelCase gatedForward(int rows, int width) {
        return new KernelCase("swiglu forward %dx%d".formatted(rows, width), device -> {
            float[] gateUp = device.normalBf16(2 * rows * width, 3);
            DeviceMemory out = device.outputBf16((long) rows * width);
            device.run(SwiGlu.forward(device.library(), device.bf16(gateUp), out, rows, width));
            double[] expected = new double[rows * width];
            for (int i = 0; i < expected.length; i++) {
                int at = i / width * 2 * width + i % width;
                expected[i] = gateUp[at] * sigmoid(gateUp[at]) * gateUp[at + width];
            }
            device.compare("out", device.readBf16(out), expected, Bf16.ROUNDING + FORMULA, 1e-30);
        });
    }

    private static KernelCase gatedBackward(int rows, int width, boolean accumulate) {
        String name = "swiglu gradient %dx%d%s".formatted(rows, width, accumulate ? " accumulated" : "");
        return new KernelCase(name, device -> {
            float[] gateUp = device.normalBf16(2 * rows * width, 3);
            float[] dOut = device.normalBf16(rows * width, 1);
            float[] old = device.normalBf16(2 * rows * width, 1);
            DeviceMemory dGateUp = accumulate ? device.bf16(old) : device.outputBf16(old.length);
            device.run(SwiGlu.backward(
                    device.library(), device.bf16(gateUp), device.bf16(dOut), dGateUp, accumulate, rows, width));
            double[] expected = new double[old.length];
            double[] tolerated = new double[old.length];
            for (int i = 0; i < dOut.length; i++) {
                int gate = i / width * 2 * width + i % width;
                int up = gate + width;
                double s = sigmoid(gateUp[gate]);
                expected[gate] = dOut[i] * gateUp[up] * s * (1 + gateUp[gate] * (1 - s));
                expected[up] = dOut[i] * gateUp[gate] * s;
                tolerated[gate] = FORMULA * Math.abs(dOut[i] * gateUp[up]) * (1 + Math.abs(gateUp[gate]));
                tolerated[up] = FORMULA * Math.abs(expected[up]);
            }
            for (int i = 0; accumulate && i < old.length; i++) {
                expected[i] += old[i];
            }
            device.compare("dGateUp", device.readBf16(dGateUp), expected, Bf16.ROUNDING, tolerated);
        });
    }
}
