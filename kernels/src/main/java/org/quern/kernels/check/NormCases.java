package org.quern.kernels.check;

import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LayerNorm;
import org.quern.kernels.cuda.RmsNorm;
import org.quern.ptx.KernelVariant;

/// Layer norm and RMS norm, plain and of a sum, and their gradients, for all ways to share a row.
public final class NormCases {
    private static final double EPS = 1e-5;
    /// Of fp32 sums, as a part of the sum of the terms' magnitudes.
    private static final double SUM = 1e-5;

    private NormCases() {}

    public static List<KernelVariant> variants() {
        return Stream.concat(LayerNorm.variants().stream(), RmsNorm.variants().stream())
                .toList();
    }

    /// Widths that a warp or a block holds in registers, exactly and not quite, and wider ones, which it
    /// goes over in more than two rounds; element by element where the width is odd. Blocks of gradients
    /// have several rows.
    public static Stream<KernelCase> cases() {
        return Stream.of(true, false)
                .flatMap(centered -> Stream.concat(
                        Stream.of(
                                forward(centered, false, 1, 1),
                                forward(centered, true, 1, 4096),
                                backward(centered, false, 1, 1),
                                backward(centered, true, 129, 64),
                                backward(centered, false, 19, 1025)),
                        Stream.of(true, false)
                                .flatMap(choice -> Stream.of(
                                        forward(centered, choice, 9, 256),
                                        forward(centered, choice, 3, 601),
                                        forward(centered, choice, 6, 768),
                                        forward(centered, choice, 2, 1000),
                                        forward(centered, choice, 2, 2056),
                                        forward(centered, choice, 2, 16392),
                                        backward(centered, choice, 40, 129),
                                        backward(centered, choice, 35, 768),
                                        backward(centered, choice, 19, 2051).gridsFor(2),
                                        backward(centered, choice, 17, 8200).gridsFor(2)))));
    }

    /// All other numbers of vectors that a thread holds, and what training uses.
    public static Stream<KernelCase> slowCases() {
        return Stream.of(true, false)
                .flatMap(centered -> Stream.of(
                        forward(centered, true, 5, 512),
                        forward(centered, true, 5, 1024),
                        forward(centered, true, 5, 1536),
                        forward(centered, true, 5, 2048),
                        forward(centered, true, 5, 8192),
                        forward(centered, true, 5, 16384),
                        forward(centered, true, 2, 20000),
                        forward(centered, true, 2, 3001),
                        backward(centered, false, 1000, 768),
                        backward(centered, true, 100, 4096),
                        backward(centered, true, 50, 16384)));
    }

    private static String name(boolean centered) {
        return centered ? "layernorm" : "rmsnorm";
    }

    private static KernelCase forward(boolean centered, boolean residual, int rows, int width) {
        String name = "%s forward%s %dx%d".formatted(name(centered), residual ? " of a sum" : "", rows, width);
        return new KernelCase(name, device -> forward(device, centered, residual, rows, width));
    }

    private static void forward(CheckDevice device, boolean centered, boolean residual, int rows, int width) {
        int count = rows * width;
        float[] x = device.normalBf16(count, 2);
        float[] weight = device.normalBf16(width, 1);
        float[] bias = device.normalBf16(width, 1);
        DeviceMemory xs = device.bf16(x);
        DeviceMemory weights = device.bf16(weight);
        DeviceMemory y = device.outputBf16(count);
        DeviceMemory mean = device.outputF32(rows);
        DeviceMemory rstd = device.outputF32(rows);
        KernelLibrary library = device.library();
        DeviceMemory biases = centered ? device.bf16(bias) : null;
        GpuKernel kernel;
        if (residual) {
            float[] branch = device.normalBf16(count, 1);
            DeviceMemory branches = device.bf16(branch);
            DeviceMemory sum = device.outputBf16(count);
            kernel = centered
                    ? LayerNorm.addForward(library, xs, branches, sum, weights, biases, y, mean, rstd, rows, width, EPS)
                    : RmsNorm.addForward(library, xs, branches, sum, weights, y, rstd, rows, width, EPS);
            device.run(kernel);
            double[] sums = new double[count];
            for (int i = 0; i < count; i++) {
                x[i] = Bf16.round(x[i] + branch[i]);
                sums[i] = x[i];
            }
            device.compareExactly("sum", device.readBf16(sum), sums);
        } else {
            kernel = centered
                    ? LayerNorm.forward(library, xs, weights, biases, y, mean, rstd, rows, width, EPS)
                    : RmsNorm.forward(library, xs, weights, y, rstd, rows, width, EPS);
            device.run(kernel);
        }

        double[] means = new double[rows];
        double[] rstds = new double[rows];
        double[] expected = new double[count];
        double[] tolerated = new double[count];
        statistics(x, rows, width, centered, means, rstds);
        for (int i = 0; i < count; i++) {
            double normal = (x[i] - means[i / width]) * rstds[i / width] * weight[i % width];
            double shift = centered ? bias[i % width] : 0;
            expected[i] = normal + shift;
            double distance = (Math.abs(x[i]) + Math.abs(means[i / width])) * rstds[i / width];
            tolerated[i] = SUM * (distance * Math.abs(weight[i % width]) + Math.abs(shift));
        }
        if (centered) {
            device.compare("mean", device.readF32(mean), means, SUM, 2 * SUM);
        }
        device.compare("rstd", device.readF32(rstd), rstds, SUM, 0);
        device.compare("y", device.readBf16(y), expected, Bf16.ROUNDING, tolerated);
    }

    private static void statistics(float[] x, int rows, int width, boolean centered, double[] means, double[] rstds) {
        for (int row = 0; row < rows; row++) {
            double sum = 0;
            for (int i = 0; i < width; i++) {
                sum += x[row * width + i];
            }
            means[row] = centered ? sum / width : 0;
            double squares = 0;
            for (int i = 0; i < width; i++) {
                double distance = x[row * width + i] - means[row];
                squares += distance * distance;
            }
            rstds[row] = 1 / Math.sqrt(squares / width + EPS);
        }
    }

    private static KernelCase backward(boolean centered, boolean accumulate, int rows, int width) {
        String name = "%s gradient %dx%d%s".formatted(name(centered), rows, width, accumulate ? " accumulated" : "");
        return new KernelCase(name, device -> backward(device, centered, accumulate, rows, width));
    }

    private static void backward(CheckDevice device, boolean centered, boolean accumulate, int rows, int width) {
        int count = rows * width;
        float[] x = device.normalBf16(count, 2);
        float[] weight = device.normalBf16(width, 1);
        float[] dy = device.normalBf16(count, 1);
        float[] oldX = device.normalBf16(count, 1);
        float[] oldWeight = device.normal(width, 1);
        float[] oldBias = device.normal(width, 1);
        double[] means = new double[rows];
        double[] rstds = new double[rows];
        statistics(x, rows, width, centered, means, rstds);
        float[] mean = new float[rows];
        float[] rstd = new float[rows];
        for (int row = 0; row < rows; row++) {
            mean[row] = (float) means[row];
            rstd[row] = (float) rstds[row];
        }
        DeviceMemory dx = accumulate ? device.bf16(oldX) : device.outputBf16(count);
        DeviceMemory dWeight = accumulate ? device.f32(oldWeight) : device.outputF32(width);
        DeviceMemory dBias = accumulate ? device.f32(oldBias) : device.outputF32(width);
        KernelLibrary library = device.library();
        int multiprocessors = library.device().multiprocessors();
        DeviceMemory xs = device.bf16(x);
        DeviceMemory weights = device.bf16(weight);
        DeviceMemory rstdMemory = device.f32(rstd);
        DeviceMemory dys = device.bf16(dy);
        device.run(
                centered
                        ? LayerNorm.backward(
                                library,
                                xs,
                                weights,
                                device.f32(mean),
                                rstdMemory,
                                dys,
                                dx,
                                accumulate,
                                dWeight,
                                accumulate,
                                dBias,
                                accumulate,
                                device.output(LayerNorm.workspaceBytes(rows, width, multiprocessors)),
                                rows,
                                width)
                        : RmsNorm.backward(
                                library,
                                xs,
                                weights,
                                rstdMemory,
                                dys,
                                dx,
                                accumulate,
                                dWeight,
                                accumulate,
                                device.output(RmsNorm.workspaceBytes(rows, width, multiprocessors)),
                                rows,
                                width));

        double[] expectedX = new double[count];
        double[] toleratedX = new double[count];
        double[] expectedWeight = new double[width];
        double[] toleratedWeight = new double[width];
        double[] expectedBias = new double[width];
        double[] toleratedBias = new double[width];
        for (int row = 0; row < rows; row++) {
            double shift = 0;
            double slope = 0;
            double shiftSize = 0;
            double slopeSize = 0;
            for (int i = 0; i < width; i++) {
                double normal = (x[row * width + i] - (double) mean[row]) * rstd[row];
                double g = (double) dy[row * width + i] * weight[i];
                shift += g / width;
                slope += g * normal / width;
                shiftSize += Math.abs(g) / width;
                slopeSize += Math.abs(g * normal) / width;
                expectedWeight[i] += dy[row * width + i] * normal;
                toleratedWeight[i] += SUM * Math.abs(dy[row * width + i] * normal);
                expectedBias[i] += dy[row * width + i];
                toleratedBias[i] += SUM * Math.abs(dy[row * width + i]);
            }
            for (int i = 0; i < width; i++) {
                double normal = (x[row * width + i] - (double) mean[row]) * rstd[row];
                double g = (double) dy[row * width + i] * weight[i];
                expectedX[row * width + i] = rstd[row] * (g - (centered ? shift : 0) - normal * slope)
                        + (accumulate ? oldX[row * width + i] : 0);
                toleratedX[row * width + i] =
                        SUM * rstd[row] * (Math.abs(g) + shiftSize + Math.abs(normal) * slopeSize);
            }
        }
        for (int i = 0; accumulate && i < width; i++) {
            expectedWeight[i] += oldWeight[i];
            expectedBias[i] += oldBias[i];
        }
        device.compare("dx", device.readBf16(dx), expectedX, Bf16.ROUNDING, toleratedX);
        device.compare("dWeight", device.readF32(dWeight), expectedWeight, SUM, toleratedWeight);
        if (centered) {
            device.compare("dBias", device.readF32(dBias), expectedBias, SUM, toleratedBias);
        }
    }
}
