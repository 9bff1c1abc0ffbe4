package org.quern.kernels.check;

import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.CrossEntropy;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.ptx.KernelVariant;

/// Cross-entropy, its gradient, and both at once, on rows that begin and end anywhere.
public final class CrossEntropyCases {
    private static final float SCALE = 0.0125f;

    private CrossEntropyCases() {}

    public static List<KernelVariant> variants() {
        return CrossEntropy.variants();
    }

    /// Among them rows that keep all warps of the largest blocks busy with several vectors at a time, then
    /// with one, and targets in each of these: of the largest for rows of which two are at a time, and of all.
    public static Stream<KernelCase> cases() {
        return Stream.of(
                forward(1, 1, 1),
                forward(3, 127, 127),
                forward(2, 1000, 1024),
                forward(4, 43_001, 43_003),
                forward(3, 58_001, 58_003),
                fused(2, 1, 8),
                fused(5, 127, 127),
                fused(9, 129, 131),
                fused(3, 1000, 1000),
                fused(12, 43_001, 43_003),
                fused(5, 58_001, 58_003),
                backward(5, 127, 127, false),
                backward(3, 1000, 1024, false),
                backward(3, 1000, 1024, true),
                backward(12, 43_001, 43_003, false),
                backward(12, 43_001, 43_003, true));
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.of(
                forward(3, 1 << 18, 1 << 18),
                fused(40, 50257, 50304),
                fused(3, 200_019, 200_064),
                backward(20, 50257, 50304, true));
    }

    /// Inputs, and what is expected.
    private static final class Rows {
        final int rows;
        final int vocabulary;
        final int stride;
        final float[] logits;
        final int[] targets;
        final double[] losses;
        final double[] lse;
        final double[] gradient;
        final double[] size;

        Rows(CheckDevice device, int rows, int vocabulary, int stride) {
            this.rows = rows;
            this.vocabulary = vocabulary;
            this.stride = stride;
            logits = device.normalBf16(rows * stride, 4);
            targets = device.indices(rows, vocabulary);
            if (rows > 1) {
                targets[rows / 2] = -1;
            }
            targets[0] = vocabulary - 1;
            losses = new double[rows];
            lse = new double[rows];
            gradient = new double[rows * stride];
            size = new double[rows * stride];
            for (int row = 0; row < rows; row++) {
                if (targets[row] >= 0) {
                    fill(row);
                }
            }
        }

        private void fill(int row) {
            int from = row * stride;
            double max = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < vocabulary; i++) {
                max = Math.max(max, logits[from + i]);
            }
            double sum = 0;
            for (int i = 0; i < vocabulary; i++) {
                sum += Math.exp(logits[from + i] - max);
            }
            lse[row] = max + Math.log(sum);
            losses[row] = lse[row] - logits[from + targets[row]];
            for (int i = 0; i < vocabulary; i++) {
                double share = Math.exp(logits[from + i] - lse[row]);
                gradient[from + i] = (share - (i == targets[row] ? 1 : 0)) * SCALE;
                size[from + i] = 1e-5 * share * SCALE + (i == targets[row] ? 1e-7 * SCALE : 0);
            }
        }

        void compareLosses(CheckDevice device, DeviceMemory actualLosses, DeviceMemory actualLse) {
            device.compare("losses", device.readF32(actualLosses), losses, 1e-6, 1e-5);
            device.compare("lse", device.readF32(actualLse), lse, 1e-6, 1e-5);
        }
    }

    private static String sizes(int rows, int vocabulary, int stride) {
        return "%dx%d%s".formatted(rows, vocabulary, stride == vocabulary ? "" : " in rows of " + stride);
    }

    private static KernelCase forward(int rows, int vocabulary, int stride) {
        return new KernelCase("cross-entropy forward " + sizes(rows, vocabulary, stride), device -> {
            Rows in = new Rows(device, rows, vocabulary, stride);
            DeviceMemory losses = device.outputF32(rows);
            DeviceMemory lse = device.outputF32(rows);
            device.run(CrossEntropy.forward(
                    device.library(),
                    device.bf16(in.logits),
                    device.i32(in.targets),
                    losses,
                    lse,
                    rows,
                    vocabulary,
                    stride));
            in.compareLosses(device, losses, lse);
        });
    }

    private static KernelCase fused(int rows, int vocabulary, int stride) {
        return new KernelCase("cross-entropy fused " + sizes(rows, vocabulary, stride), device -> {
            Rows in = new Rows(device, rows, vocabulary, stride);
            DeviceMemory logits = device.bf16(in.logits);
            DeviceMemory losses = device.outputF32(rows);
            DeviceMemory lse = device.outputF32(rows);
            device.run(CrossEntropy.fused(
                    device.library(),
                    logits,
                    device.i32(in.targets),
                    losses,
                    lse,
                    device.f32(new float[] {SCALE}),
                    rows,
                    vocabulary,
                    stride));
            in.compareLosses(device, losses, lse);
            device.compare("gradient", device.readBf16(logits), in.gradient, Bf16.ROUNDING, in.size);
        });
    }

    private static KernelCase backward(int rows, int vocabulary, int stride, boolean accumulate) {
        String name = "cross-entropy gradient %s%s"
                .formatted(sizes(rows, vocabulary, stride), accumulate ? " accumulated" : "");
        return new KernelCase(name, device -> {
            Rows in = new Rows(device, rows, vocabulary, stride);
            float[] lse = new float[rows];
            for (int row = 0; row < rows; row++) {
                lse[row] = (float) in.lse[row];
            }
            float[] old = device.normalBf16(rows * stride, SCALE);
            DeviceMemory out = accumulate ? device.bf16(old) : device.outputBf16(old.length);
            KernelLibrary library = device.library();
            device.run(CrossEntropy.backward(
                    library,
                    device.bf16(in.logits),
                    device.i32(in.targets),
                    device.f32(lse),
                    device.f32(new float[] {SCALE}),
                    out,
                    accumulate,
                    rows,
                    vocabulary,
                    stride));
            for (int i = 0; accumulate && i < old.length; i++) {
                in.gradient[i] += old[i];
            }
            device.compare("dLogits", device.readBf16(out), in.gradient, Bf16.ROUNDING, in.size);
        });
    }
}
