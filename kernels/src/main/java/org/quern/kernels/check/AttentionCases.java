package org.quern.kernels.check;

import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.check.AttentionReference.Fused;
import org.quern.kernels.check.AttentionReference.Weights;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Attention.Operands;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.kernels.cuda.CachedAttention;
import org.quern.kernels.cuda.FusedAttentionGradient;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.ptx.KernelVariant;

/// Attention, its gradient, and attention over a cache, against softmax(q k^T / sqrt(D)) v and its gradient
/// written from the formulas in double precision on the same bf16 inputs.
///
/// What a result may be off, beside its own rounding to bf16: kernels round weights and gradients of scores to
/// bf16 before they multiply by them, so each term of such a sum may be off by 2^-8 of itself
/// ([Bf16#ROUNDING]); and scores, exponents and sums are fp32, off by a few 2^-24 of the magnitudes that they
/// are sums of ([AttentionReference#FLOAT]). So with S the largest sum of |q_d k_d| / sqrt(D) of a query, a
/// weight p is known to within p W, W = FLOAT (S + 1), and
///
/// | result | beside 2^-8 of itself |
/// |---|---|
/// | out | sum (2^-8 + W) p abs(v) |
/// | log-sum-exp | W |
/// | dV | sum (2^-8 + W) p abs(dOut) |
/// | ds, not a result | abs(ds) (2^-8 + W) + FLOAT p (sum abs(dOut v) + sum abs(dOut out)) |
/// | dQ, dK | the sum of what ds may be off, times abs(k) or abs(q) |
public final class AttentionCases {
    private AttentionCases() {}

    /// Where documents begin.
    private enum Documents {
        /// One a sequence.
        NONE,
        /// Of one token.
        TOKENS,
        /// Of all lengths, one token among them.
        MIXED,
        /// The last token is one of its own: what only the last query of a tile does not see.
        LAST
    }

    /// @param deviation of the inputs: 4.5 gives scores of up to about 80
    private record Setup(Shape shape, Documents documents, double deviation) {
        KernelCase forward() {
            return new KernelCase(
                    "attention forward " + this,
                    device -> AttentionCases.forward(device, this, Attention.Forward::new));
        }

        KernelCase warpgroups() {
            return new KernelCase(
                    "attention forward by warpgroups " + this,
                    device -> AttentionCases.forward(device, this, WarpgroupAttention.Forward::new));
        }

        KernelCase backwardByWarpgroups() {
            return new KernelCase(
                    "attention backward by warpgroups " + this,
                    device -> AttentionCases.backward(
                            device, this, Attention.Backward.workspaceBytes(shape), WarpgroupAttention.Backward::new));
        }

        /// @param blocks that take the heads
        /// @param chunk queries at a time
        KernelCase fused(int blocks, int chunk) {
            int heads = shape.sequences() * shape.keyValueHeads();
            FusedAttentionGradient.Plan plan = new FusedAttentionGradient.Plan(Math.min(blocks, heads), chunk);
            return new KernelCase(
                    "fused attention gradient of %s, %d blocks, chunks of %d".formatted(this, blocks, chunk),
                    device -> AttentionCases.backward(
                            device,
                            this,
                            plan.workspaceBytes(shape),
                            (library, operands, dOut, dQkv, workspace) ->
                                    new FusedAttentionGradient(library, plan, operands, dOut, dQkv, workspace)));
        }

        KernelCase backward() {
            return new KernelCase(
                    "attention backward " + this,
                    device -> AttentionCases.backward(
                            device, this, Attention.Backward.workspaceBytes(shape), Attention.Backward::new));
        }

        @Override
        public String toString() {
            String text = describe(shape);
            text += documents == Documents.NONE
                    ? ""
                    : " documents " + documents.name().toLowerCase(java.util.Locale.ROOT);
            return text + (deviation == 1 ? "" : " deviation " + deviation);
        }
    }

    static String describe(Shape shape) {
        return "%dx%d heads %d/%d of %d%s"
                .formatted(
                        shape.sequences(),
                        shape.length(),
                        shape.heads(),
                        shape.keyValueHeads(),
                        shape.headDim(),
                        shape.window() == 0 ? "" : " window " + shape.window());
    }

    private static Setup setup(
            int sequences, int length, int heads, int keyValueHeads, int headDim, int window, Documents documents) {
        return new Setup(new Shape(sequences, length, heads, keyValueHeads, headDim, window), documents, 1);
    }

    public static List<KernelVariant> variants() {
        return Stream.of(Attention.variants(), CachedAttention.variants())
                .flatMap(List::stream)
                .toList();
    }

    public static Stream<KernelCase> cases() {
        List<Setup> both = List.of(
                setup(1, 1, 1, 1, 16, 0, Documents.NONE),
                setup(3, 2, 2, 1, 16, 0, Documents.NONE),
                setup(1, 63, 3, 1, 16, 0, Documents.MIXED),
                setup(2, 64, 2, 2, 16, 0, Documents.NONE),
                setup(1, 65, 4, 2, 16, 1, Documents.NONE),
                setup(2, 127, 1, 1, 16, 17, Documents.MIXED),
                setup(1, 129, 2, 1, 16, 64, Documents.NONE),
                setup(1, 200, 2, 2, 16, 100, Documents.MIXED),
                setup(1, 200, 1, 1, 16, 0, Documents.TOKENS),
                setup(1, 130, 2, 1, 16, 0, Documents.LAST),
                setup(1, 5, 1, 1, 32, 0, Documents.NONE),
                setup(1, 129, 2, 1, 32, 0, Documents.MIXED),
                setup(2, 65, 1, 1, 32, 17, Documents.NONE),
                setup(1, 5, 1, 1, 64, 0, Documents.NONE),
                setup(1, 200, 2, 1, 64, 0, Documents.MIXED),
                setup(2, 65, 1, 1, 64, 17, Documents.NONE),
                setup(1, 130, 2, 1, 64, 0, Documents.LAST),
                setup(1, 5, 1, 1, 128, 0, Documents.NONE),
                setup(1, 129, 2, 1, 128, 0, Documents.MIXED),
                setup(1, 130, 1, 1, 128, 0, Documents.LAST),
                setup(1, 200, 1, 1, 128, 100, Documents.NONE),
                setup(2, 128, 2, 2, 32, 0, Documents.NONE),
                setup(1, 65, 1, 1, 32, 0, Documents.TOKENS),
                setup(2, 128, 2, 2, 64, 0, Documents.NONE),
                setup(1, 65, 1, 1, 64, 0, Documents.TOKENS),
                setup(2, 128, 2, 2, 128, 0, Documents.NONE),
                setup(1, 65, 1, 1, 128, 0, Documents.TOKENS));
        Shape large = new Shape(1, 129, 2, 1, 16, 0);
        Shape larger = new Shape(1, 70, 1, 1, 128, 0);
        List<Setup> logits = List.of(new Setup(large, Documents.MIXED, 4.5), new Setup(larger, Documents.NONE, 4.5));
        return Stream.of(
                        both.stream().map(Setup::forward),
                        both.stream().map(Setup::backward),
                        logits.stream().map(Setup::forward),
                        logits.stream().map(Setup::backward),
                        CachedAttentionCases.cases())
                .flatMap(cases -> cases);
    }

    /// The kernels of warpgroups, for heads of 64 and 128.
    public static Stream<KernelCase> warpgroupCases() {
        return warpgroupSetups().flatMap(setup -> Stream.of(setup.warpgroups(), setup.backwardByWarpgroups()));
    }

    /// The same on long sequences.
    public static Stream<KernelCase> slowWarpgroupCases() {
        return longSetups().flatMap(setup -> Stream.of(setup.warpgroups(), setup.backwardByWarpgroups()));
    }

    /// The gradient in one pass, whatever it is cut into.
    public static Stream<KernelCase> fusedCases() {
        return warpgroupSetups().flatMap(setup -> Stream.of(setup.fused(1, 256), setup.fused(2, 128)));
    }

    /// The same on long sequences.
    public static Stream<KernelCase> slowFusedCases() {
        return longSetups().flatMap(setup -> Stream.of(setup.fused(1, 1024), setup.fused(3, 384)));
    }

    private static Stream<Setup> warpgroupSetups() {
        return WarpgroupAttention.HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(
                        setup(1, 5, 1, 1, headDim, 0, Documents.NONE),
                        setup(2, 130, 2, 1, headDim, 0, Documents.MIXED),
                        setup(1, 300, 1, 1, headDim, 0, Documents.NONE),
                        setup(1, 270, 2, 1, headDim, 100, Documents.NONE),
                        setup(2, 129, 1, 1, headDim, 17, Documents.MIXED),
                        setup(1, 130, 2, 2, headDim, 0, Documents.LAST),
                        setup(1, 65, 1, 1, headDim, 0, Documents.TOKENS),
                        setup(1, 640, 1, 1, headDim, 0, Documents.NONE),
                        new Setup(new Shape(1, 70, 1, 1, headDim, 0), Documents.NONE, 4.5)));
    }

    private static Stream<Setup> longSetups() {
        return WarpgroupAttention.HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(
                        setup(1, 1025, 4, 2, headDim, 0, Documents.MIXED),
                        setup(2, 1000, 2, 2, headDim, 300, Documents.NONE),
                        setup(1, 2048, 1, 1, headDim, 0, Documents.NONE)));
    }

    /// Longer sequences, more heads, every window.
    public static Stream<KernelCase> slowCases() {
        Stream<Setup> setups = Attention.HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(0, 1, 17, 64, 100, 1000)
                        .flatMap(window -> Stream.of(127, 513, 1000)
                                .flatMap(length -> Arrays.stream(Documents.values())
                                        .map(documents -> setup(2, length, 4, 2, headDim, window, documents)))));
        // More tiles of queries than a block has threads to look at them.
        Setup longest = setup(1, 8257, 1, 1, 16, 0, Documents.NONE);
        return Stream.of(
                        setups.flatMap(setup -> Stream.of(setup.forward(), setup.backward())),
                        Stream.of(longest.backward()),
                        CachedAttentionCases.slowCases())
                .flatMap(cases -> cases);
    }

    private static double dot(float[] x, int i, float[] y, int j, int count) {
        double sum = 0;
        for (int d = 0; d < count; d++) {
            sum += (double) x[i + d] * y[j + d];
        }
        return sum;
    }

    private static double dotOfMagnitudes(float[] x, int i, float[] y, int j, int count) {
        double sum = 0;
        for (int d = 0; d < count; d++) {
            sum += Math.abs((double) x[i + d] * y[j + d]);
        }
        return sum;
    }

    // ---------------------------------------------------------------- one case

    private static int[] starts(CheckDevice device, Setup setup) {
        Shape shape = setup.shape;
        int[] starts = new int[AttentionReference.rows(shape)];
        for (int sequence = 0; sequence < shape.sequences(); sequence++) {
            int start = 0;
            while (start < shape.length()) {
                int document = switch (setup.documents) {
                    case NONE -> shape.length();
                    case TOKENS -> 1;
                    case LAST -> start == 0 ? Math.max(1, shape.length() - 1) : 1;
                    case MIXED -> List.of(1, 5, 37, 90).get(device.indices(1, 4)[0]);
                };
                int end = Math.min(start + document, shape.length());
                Arrays.fill(starts, sequence * shape.length() + start, sequence * shape.length() + end, start);
                start = end;
            }
        }
        return starts;
    }

    private static void forward(
            CheckDevice device, Setup setup, BiFunction<KernelLibrary, Operands, GpuKernel> kernel) {
        Shape shape = setup.shape;
        int headDim = shape.headDim();
        Fused qkv = Fused.of(device, shape, setup.deviation);
        int[] starts = starts(device, setup);
        int count = AttentionReference.rows(shape) * shape.heads();
        DeviceMemory out = device.outputBf16((long) count * headDim);
        DeviceMemory lse = device.outputF32(count);
        Operands operands = new Operands(shape, device.bf16(qkv.values()), device.i32(starts), out, lse);
        device.run(kernel.apply(device.library(), operands));

        double[] expected = new double[count * headDim];
        double[] tolerance = new double[expected.length];
        double[] expectedLse = new double[count];
        double[] lseTolerance = new double[count];
        AttentionReference.forEachQuery(shape, (sequence, token, head, at) -> {
            Weights weights = qkv.weights(starts, sequence, head, token);
            expectedLse[at] = weights.lse();
            lseTolerance[at] = weights.uncertainty();
            weights.average(
                    qkv.values(), key -> qkv.value(sequence, key, head), headDim, expected, tolerance, at * headDim);
        });
        device.compare("out", device.readBf16(out), expected, Bf16.ROUNDING, tolerance);
        device.compare("log-sum-exp", device.readF32(lse), expectedLse, 0x1p-22, lseTolerance);
    }

    /// Makes a kernel.
    @FunctionalInterface
    private interface Backward {
        GpuKernel bind(
                KernelLibrary library, Operands operands, DeviceMemory dOut, DeviceMemory dQkv, DeviceMemory workspace);
    }

    private static void backward(CheckDevice device, Setup setup, long workspaceBytes, Backward gradient) {
        Shape shape = setup.shape;
        int headDim = shape.headDim();
        int count = AttentionReference.rows(shape) * shape.heads();
        Fused qkv = Fused.of(device, shape, setup.deviation);
        int[] starts = starts(device, setup);
        float[] dOut = device.normalBf16(count * headDim, 1);
        // What the forward pass gives: to the gradient an input like others.
        float[] out = new float[count * headDim];
        float[] lse = new float[count];
        double[] expected = new double[qkv.values().length];
        double[] tolerance = new double[expected.length];
        double scale = 1 / Math.sqrt(headDim);
        AttentionReference.forEachQuery(shape, (sequence, token, head, at) -> {
            Weights weights = qkv.weights(starts, sequence, head, token);
            lse[at] = (float) weights.lse();
            double[] average = new double[headDim];
            weights.average(
                    qkv.values(), key -> qkv.value(sequence, key, head), headDim, average, new double[headDim], 0);
            int row = at * headDim;
            for (int d = 0; d < headDim; d++) {
                out[row + d] = Bf16.round((float) average[d]);
            }
            double delta = dot(dOut, row, out, row, headDim);
            double deltaMagnitude = dotOfMagnitudes(dOut, row, out, row, headDim);
            double rounding = Bf16.ROUNDING + weights.uncertainty();
            int query = qkv.query(sequence, token, head);
            for (int i = 0; i < weights.weights().length; i++) {
                int key = qkv.key(sequence, weights.first() + i, head);
                int value = qkv.value(sequence, weights.first() + i, head);
                double p = weights.weights()[i];
                double ds = scale * p * (dot(dOut, row, qkv.values(), value, headDim) - delta);
                double magnitude = dotOfMagnitudes(dOut, row, qkv.values(), value, headDim) + deltaMagnitude;
                double dsTolerance = Math.abs(ds) * rounding + scale * AttentionReference.FLOAT * p * magnitude;
                for (int d = 0; d < headDim; d++) {
                    expected[query + d] += ds * qkv.values()[key + d];
                    tolerance[query + d] += dsTolerance * Math.abs(qkv.values()[key + d]);
                    expected[key + d] += ds * qkv.values()[query + d];
                    tolerance[key + d] += dsTolerance * Math.abs(qkv.values()[query + d]);
                    expected[value + d] += p * dOut[row + d];
                    tolerance[value + d] += p * rounding * Math.abs(dOut[row + d]);
                }
            }
        });

        DeviceMemory dQkv = device.outputBf16(expected.length);
        Operands operands =
                new Operands(shape, device.bf16(qkv.values()), device.i32(starts), device.bf16(out), device.f32(lse));
        device.run(gradient.bind(device.library(), operands, device.bf16(dOut), dQkv, device.output(workspaceBytes)));
        float[] actual = device.readBf16(dQkv);
        device.compare("dQkv", actual, expected, Bf16.ROUNDING, tolerance);
    }
}
