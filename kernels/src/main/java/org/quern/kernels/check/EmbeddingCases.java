package org.quern.kernels.check;

import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.Embedding;
import org.quern.kernels.cuda.Rope;
import org.quern.ptx.KernelVariant;

/// Embedding and the gradient of its table, with ids that occur once, often, and nowhere; rotary positions.
public final class EmbeddingCases {
    private EmbeddingCases() {}

    public static List<KernelVariant> variants() {
        return Stream.concat(Embedding.variants().stream(), Rope.variants().stream())
                .toList();
    }

    public static Stream<KernelCase> cases() {
        Stream<KernelCase> few = Stream.of(
                forward(1, 1, 1),
                forward(7, 50257, 8),
                forward(129, 50, 299),
                forward(5, 10, 2368),
                gradient(1, 1, 1, 1, false),
                gradient(70, 300, 33, 0.1, false),
                gradient(1830, 70_000, 8, 0.3, true),
                // More counts of digits than the scan takes at a time.
                gradient(17_500, 256, 1, 0, false));
        Stream<KernelCase> gradients = Stream.of(false, true)
                .flatMap(accumulate -> Stream.of(33, 136)
                        .flatMap(width -> Stream.of(
                                // The last range has one row; runs of many ranges; runs that begin and end
                                // anywhere.
                                gradient(97, 4, width, 0, accumulate),
                                gradient(2100, 3, width, 0, accumulate),
                                gradient(2069, 300, width, 0.5, accumulate))));
        Stream<KernelCase> ropes = Stream.of(false, true)
                .flatMap(backwards -> Stream.of(false, true)
                        .flatMap(accumulate -> Stream.of(
                                // Many rows for each thread, in one slice of columns and in more; 4 pairs
                                // and 1 at a time.
                                rope(130, 3, 1, 64, backwards, accumulate).gridsFor(1),
                                rope(19, 12, 12, 64, backwards, accumulate).gridsFor(1),
                                rope(310, 2, 2, 6, backwards, accumulate).gridsFor(1),
                                rope(19, 3, 1, 130, backwards, accumulate).gridsFor(1))));
        return Stream.of(few, gradients, ropes, Stream.of(rope(1, 1, 1, 2, false, false)))
                .flatMap(cases -> cases);
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.of(
                gradient(20_000, 50257, 768, 0.05, true),
                gradient(5000, 300_000, 256, 0.5, false),
                rope(1000, 12, 4, 128, false, false));
    }

    private static KernelCase forward(int rows, int vocabulary, int width) {
        return new KernelCase("embedding forward %d of %dx%d".formatted(rows, vocabulary, width), device -> {
            int[] ids = device.indices(rows, vocabulary);
            ids[0] = vocabulary - 1;
            float[] table = device.normalBf16(vocabulary * width, 1);
            DeviceMemory out = device.outputBf16((long) rows * width);
            device.run(Embedding.forward(
                    device.library(), device.i32(ids), device.bf16(table), out, rows, vocabulary, width));
            double[] expected = new double[rows * width];
            for (int i = 0; i < expected.length; i++) {
                expected[i] = table[ids[i / width] * width + i % width];
            }
            device.compareExactly("out", device.readBf16(out), expected);
        });
    }

    /// @param share of the rows that have one and the same id
    private static KernelCase gradient(int rows, int vocabulary, int width, double share, boolean accumulate) {
        String name = "embedding gradient %d of %dx%d, one id in %.0f %%%s"
                .formatted(rows, vocabulary, width, 100 * share, accumulate ? ", accumulated" : "");
        return new KernelCase(name, device -> {
            int[] ids = device.indices(rows, vocabulary);
            int[] chance = device.indices(rows, 1000);
            for (int row = 0; row < rows; row++) {
                if (chance[row] < 1000 * share) {
                    ids[row] = vocabulary / 2;
                }
            }
            // Integers, so that sums are exact and any mistake in the order of rows shows.
            float[] dOut = device.integers(rows * width, 100);
            float[] old = device.integers(vocabulary * width, 1000);
            DeviceMemory table = accumulate ? device.f32(old) : device.outputF32(old.length);
            device.run(Embedding.backward(
                    device.library(),
                    device.i32(ids),
                    device.bf16(dOut),
                    table,
                    accumulate,
                    device.output(Embedding.workspaceBytes(rows, width)),
                    rows,
                    vocabulary,
                    width));
            double[] expected = new double[old.length];
            for (int i = 0; accumulate && i < old.length; i++) {
                expected[i] = old[i];
            }
            for (int i = 0; i < dOut.length; i++) {
                expected[ids[i / width] * width + i % width] += dOut[i];
            }
            device.compareExactly("dTable", device.readF32(table), expected);
        });
    }

    private static KernelCase rope(
            int rows, int heads, int keyValueHeads, int headDim, boolean backwards, boolean accumulate) {
        String name = "rope%s %d rows, %d+%d heads of %d%s"
                .formatted(
                        backwards ? " backwards" : "",
                        rows,
                        heads,
                        keyValueHeads,
                        headDim,
                        accumulate ? ", accumulated" : "");
        return new KernelCase(name, device -> {
            rope(device, rows, heads, keyValueHeads, headDim, backwards, accumulate, false);
            if (!accumulate) {
                rope(device, rows, heads, keyValueHeads, headDim, backwards, false, true);
            }
        });
    }

    private static void rope(
            CheckDevice device,
            int rows,
            int heads,
            int keyValueHeads,
            int headDim,
            boolean backwards,
            boolean accumulate,
            boolean inPlace) {
        int tablePositions = 50;
        int half = headDim / 2;
        int columns = (heads + 2 * keyValueHeads) * headDim;
        float[] x = device.normalBf16(rows * columns, 1);
        float[] old = device.normalBf16(rows * columns, 1);
        int[] positions = device.indices(rows, tablePositions);
        float[] cos = new float[tablePositions * half];
        float[] sin = new float[tablePositions * half];
        for (int i = 0; i < cos.length; i++) {
            double angle = i / half * Math.pow(10_000, -2.0 * (i % half) / headDim);
            cos[i] = (float) Math.cos(angle);
            sin[i] = (float) Math.sin(angle);
        }
        DeviceMemory xs = device.bf16(x);
        DeviceMemory out;
        if (inPlace) {
            out = xs;
        } else {
            out = accumulate ? device.bf16(old) : device.outputBf16(x.length);
        }
        device.run(Rope.of(
                device.library(),
                xs,
                device.i32(positions),
                device.f32(cos),
                device.f32(sin),
                backwards,
                out,
                accumulate,
                rows,
                heads,
                keyValueHeads,
                headDim,
                tablePositions));
        double[] expected = new double[x.length];
        double[] tolerated = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int row = i / columns;
            int head = i % columns / headDim;
            int column = i % headDim;
            double value = x[i];
            tolerated[i] = 0;
            if (head < heads + keyValueHeads) {
                int at = positions[row] * half + column % half;
                boolean first = column < half;
                double other = x[first ? i + half : i - half];
                double s = backwards == first ? sin[at] : -sin[at];
                tolerated[i] = 1e-6 * (Math.abs(value) + Math.abs(other));
                value = value * cos[at] + other * s;
            }
            expected[i] = value + (accumulate ? old[i] : 0);
        }
        device.compare(inPlace ? "in place" : "out", device.readBf16(out), expected, Bf16.ROUNDING, tolerated);
    }
}
