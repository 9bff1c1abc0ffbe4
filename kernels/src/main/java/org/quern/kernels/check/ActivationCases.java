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
    /// Of fp32 formulas, as a part of the terms' magnitudes.
    private static final double FORMULA = 1e-5;

    private ActivationCases() {}

    public static List<KernelVariant> variants() {
        return Stream.concat(Activation.variants().stream(), SwiGlu.variants().stream())
                .toList();
    }

    /// Less than a vector, vectors with a rest, a whole tile with a rest; tensors that begin off their alignment.
    public static Stream<KernelCase> cases() {
        Stream<KernelCase> functions = Stream.of(Function.values())
                .flatMap(function -> Stream.of(
                        forward(function, 1, 0),
                        forward(function, 127, 0),
                        forward(function, 1000, 1),
                        forward(function, 9001, 0),
                        backward(function, false, 129, 0),
                        backward(function, true, 1000, 1),
                        backward(function, false, 5000, 0),
                        backward(function, true, 5000, 0)));
        return Stream.concat(
                functions,
                Stream.of(
                        gatedForward(1, 1),
                        gatedForward(5, 127),
                        gatedForward(7, 64),
                        gatedForward(1, 2064),
                        gatedBackward(3, 129, false),
                        gatedBackward(5, 1000, false),
                        gatedBackward(2, 2064, true),
                        gatedBackward(129, 9, true)));
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.concat(
                Stream.of(Function.values())
                        .flatMap(function ->
                                Stream.of(forward(function, 4_000_001, 0), backward(function, true, 4_000_001, 0))),
                Stream.of(gatedForward(400, 2048), gatedBackward(400, 2048, true)));
    }

    private static KernelCase forward(Function function, int count, int offset) {
        return new KernelCase("%s forward %d%s".formatted(function, count, off(offset)), device -> {
            float[] x = device.normalBf16(count + offset, 3);
            if (count > 8) {
                x[offset + 3] = -40;
                x[offset + 5] = 40;
            }
            DeviceMemory y = device.outputBf16(count + offset);
            device.run(Activation.forward(
                    device.library(), function, behind(device.bf16(x), offset), behind(y, offset), count));
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = value(function, x[offset + i]);
            }
            device.compare("y", device.readBf16(behind(y, offset)), expected, Bf16.ROUNDING + FORMULA, 1e-30);
        });
    }

    private static KernelCase backward(Function function, boolean accumulate, int count, int offset) {
        String name = "%s gradient %d%s%s".formatted(function, count, off(offset), accumulate ? " accumulated" : "");
        return new KernelCase(name, device -> {
            float[] x = device.normalBf16(count + offset, 3);
            float[] dy = device.normalBf16(count + offset, 1);
            float[] old = device.normalBf16(count + offset, 1);
            DeviceMemory dx = accumulate ? device.bf16(old) : device.outputBf16(count + offset);
            device.run(Activation.backward(
                    device.library(),
                    function,
                    behind(device.bf16(x), offset),
                    behind(device.bf16(dy), offset),
                    behind(dx, offset),
                    accumulate,
                    count));
            double[] expected = new double[count];
            double[] tolerated = new double[count];
            for (int i = 0; i < count; i++) {
                double change = dy[offset + i] * slope(function, x[offset + i]);
                expected[i] = change + (accumulate ? old[offset + i] : 0);
                tolerated[i] = FORMULA * (Math.abs(dy[offset + i]) * (1 + Math.abs(x[offset + i])));
            }
            device.compare("dx", device.readBf16(behind(dx, offset)), expected, Bf16.ROUNDING, tolerated);
        });
    }

    private static String off(int offset) {
        return offset == 0 ? "" : " at element " + offset;
    }

    private static DeviceMemory behind(DeviceMemory memory, int elements) {
        return memory.slice((long) elements * Short.BYTES, memory.bytes() - (long) elements * Short.BYTES);
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
