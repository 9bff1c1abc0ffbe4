package org.quern.kernels.check;

import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
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
/// What a result may be off, beside its own rounding to bf16: kernels round weights and gradients of scores to bf16
/// before they multiply by them, so each term of such a sum may be off by 2^-8 of itself ([Bf16#ROUNDING]); and
/// scores, exponents and sums are fp32, off by a few 2^-24 of the magnitudes that they are sums of ([#FLOAT]). So
/// with S the largest sum of |q_d k_d| / sqrt(D) of a query, a weight p is known to within p W, W = FLOAT (S + 1),
/// and
///
/// | result | beside 2^-8 of itself |
/// |---|---|
/// | out | sum (2^-8 + W) p abs(v) |
/// | log-sum-exp | W |
/// | dV | sum (2^-8 + W) p abs(dOut) |
/// | ds, not a result | abs(ds) (2^-8 + W) + FLOAT p (sum abs(dOut v) + sum abs(dOut out)) |
/// | dQ, dK | the sum of what ds may be off, times abs(k) or abs(q) |
public final class AttentionCases {
    private static final double FLOAT = 0x1p-20;

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

    private static String describe(Shape shape) {
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
                        decodes())
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

    private static Stream<KernelCase> decodes() {
        return Stream.of(
                cached(new Shape(1, 1, 1, 1, 16, 0), 0, 1),
                cached(new Shape(3, 1, 4, 2, 16, 0), 1, 40),
                cached(new Shape(2, 1, 2, 1, 16, 0), 63, 64),
                cached(new Shape(2, 1, 4, 1, 16, 17), 64, 100),
                cached(new Shape(1, 9, 4, 2, 16, 17), 64, 73),
                cached(new Shape(1, 1, 2, 2, 16, 0), 1000, 1001),
                cached(new Shape(1, 1, 1, 1, 32, 0), 0, 1),
                cached(new Shape(2, 4, 8, 1, 32, 0), 1000, 1004),
                cached(new Shape(1, 5, 12, 2, 32, 3), 63, 800),
                cached(new Shape(1, 1, 1, 1, 64, 0), 0, 1),
                cached(new Shape(2, 1, 4, 2, 64, 0), 64, 65),
                cached(new Shape(1, 3, 4, 1, 64, 0), 500, 503),
                cached(new Shape(1, 3, 4, 1, 64, 100), 1000, 1003),
                cached(new Shape(1, 1, 1, 1, 128, 0), 0, 1),
                cached(new Shape(1, 1, 4, 1, 128, 0), 1000, 1001),
                cached(new Shape(2, 16, 1, 1, 128, 0), 1, 300),
                cached(new Shape(2, 70, 2, 1, 16, 0), 0, 70),
                cached(new Shape(1, 70, 4, 2, 32, 100), 64, 134),
                cached(new Shape(1, 129, 1, 1, 64, 100), 63, 200),
                cached(new Shape(1, 17, 2, 1, 128, 0), 48, 65),
                cached(new Shape(1, 17, 1, 1, 128, 1), 48, 65),
                cached(new Shape(1, 129, 1, 1, 128, 50), 63, 192),
                // Less than a tile of keys, behind which the cache ends.
                cached(new Shape(1, 20, 4, 2, 32, 0), 5, 25),
                cached(new Shape(1, 20, 2, 1, 64, 0), 5, 25),
                cached(new Shape(1, 17, 2, 1, 128, 0), 0, 17),
                cached(new Shape(1, 65, 1, 1, 32, 1), 0, 65),
                cached(new Shape(1, 65, 1, 1, 64, 1), 0, 65));
    }

    /// Longer sequences, more heads, every window.
    public static Stream<KernelCase> slowCases() {
        Stream<Setup> setups = Attention.HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(0, 1, 17, 64, 100, 1000)
                        .flatMap(window -> Stream.of(127, 513, 1000)
                                .flatMap(length -> Arrays.stream(Documents.values())
                                        .map(documents -> setup(2, length, 4, 2, headDim, window, documents)))));
        Stream<KernelCase> decodes = Attention.HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(0, 1, 63, 64, 1000, 4095)
                        .flatMap(position -> Stream.of(1, 2, 16, 17, 300)
                                .map(length -> cached(new Shape(3, length, 8, 2, headDim, 0), position, 4400))));
        // More tiles of queries than a block has threads to look at them.
        Setup longest = setup(1, 8257, 1, 1, 16, 0, Documents.NONE);
        return Stream.of(
                        setups.flatMap(setup -> Stream.of(setup.forward(), setup.backward())),
                        Stream.of(longest.backward()),
                        decodes)
                .flatMap(cases -> cases);
    }

    // ---------------------------------------------------------------- the reference

    /// Fused rows, as the kernels see them.
    private record Fused(float[] values, Shape shape) {
        private int row(int sequence, int token) {
            return (sequence * shape.length() + token) * width(shape);
        }

        int query(int sequence, int token, int head) {
            return row(sequence, token) + head * shape.headDim();
        }

        /// The key of a query head.
        int key(int sequence, int token, int head) {
            return row(sequence, token) + (shape.heads() + head / group(shape)) * shape.headDim();
        }

        int value(int sequence, int token, int head) {
            return key(sequence, token, head) + shape.keyValueHeads() * shape.headDim();
        }
    }

    private static int width(Shape shape) {
        return (shape.heads() + 2 * shape.keyValueHeads()) * shape.headDim();
    }

    private static int group(Shape shape) {
        return shape.heads() / shape.keyValueHeads();
    }

    private static int rows(Shape shape) {
        return shape.sequences() * shape.length();
    }

    /// What a query sees, and how much.
    ///
    /// @param first key
    /// @param weights of the keys from it on
    /// @param lse log-sum-exp of the scores
    /// @param uncertainty W, of the weights
    private record Weights(int first, double[] weights, double lse, double uncertainty) {
        interface Keys {
            /// Where key i begins.
            int at(int token);
        }

        static Weights of(float[] queries, int query, float[] allKeys, Keys keys, int first, int last, int headDim) {
            double[] scores = new double[last - first + 1];
            double scale = 1 / Math.sqrt(headDim);
            double largest = 0;
            for (int i = 0; i < scores.length; i++) {
                int key = keys.at(first + i);
                double magnitude = 0;
                for (int d = 0; d < headDim; d++) {
                    double product = (double) queries[query + d] * allKeys[key + d];
                    scores[i] += product * scale;
                    magnitude += Math.abs(product) * scale;
                }
                largest = Math.max(largest, magnitude);
            }
            double max = Arrays.stream(scores).max().orElseThrow();
            double total =
                    Arrays.stream(scores).map(score -> Math.exp(score - max)).sum();
            double[] weights = Arrays.stream(scores)
                    .map(score -> Math.exp(score - max) / total)
                    .toArray();
            return new Weights(first, weights, max + Math.log(total), FLOAT * (largest + 1));
        }
    }

    private static Weights weights(Fused qkv, int[] starts, int sequence, int head, int token) {
        Shape shape = qkv.shape;
        int first = starts[sequence * shape.length() + token];
        if (shape.window() > 0) {
            first = Math.max(first, token - shape.window() + 1);
        }
        return Weights.of(
                qkv.values,
                qkv.query(sequence, token, head),
                qkv.values,
                key -> qkv.key(sequence, key, head),
                first,
                token,
                shape.headDim());
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

    // ---------------------------------------------------------------- the cases

    private static int[] starts(CheckDevice device, Setup setup) {
        Shape shape = setup.shape;
        int[] starts = new int[rows(shape)];
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
        Fused qkv = new Fused(device.normalBf16(rows(shape) * width(shape), setup.deviation), shape);
        int[] starts = starts(device, setup);
        int count = rows(shape) * shape.heads();
        DeviceMemory out = device.outputBf16((long) count * headDim);
        DeviceMemory lse = device.outputF32(count);
        Operands operands = new Operands(shape, device.bf16(qkv.values), device.i32(starts), out, lse);
        device.run(kernel.apply(device.library(), operands));

        double[] expected = new double[count * headDim];
        double[] tolerance = new double[expected.length];
        double[] expectedLse = new double[count];
        double[] lseTolerance = new double[count];
        forEachQuery(shape, (sequence, token, head, at) -> {
            Weights weights = weights(qkv, starts, sequence, head, token);
            expectedLse[at] = weights.lse;
            lseTolerance[at] = weights.uncertainty;
            average(
                    weights,
                    qkv.values,
                    key -> qkv.value(sequence, key, head),
                    headDim,
                    expected,
                    tolerance,
                    at * headDim);
        });
        device.compare("out", device.readBf16(out), expected, Bf16.ROUNDING, tolerance);
        device.compare("log-sum-exp", device.readF32(lse), expectedLse, 0x1p-22, lseTolerance);
    }

    private interface Query {
        /// @param at its number in [row, head]
        void visit(int sequence, int token, int head, int at);
    }

    private static void forEachQuery(Shape shape, Query query) {
        int at = 0;
        for (int sequence = 0; sequence < shape.sequences(); sequence++) {
            for (int token = 0; token < shape.length(); token++) {
                for (int head = 0; head < shape.heads(); head++) {
                    query.visit(sequence, token, head, at++);
                }
            }
        }
    }

    /// out = the average of the values, weighted.
    private static void average(
            Weights weights, float[] values, Weights.Keys rows, int headDim, double[] out, double[] tolerance, int at) {
        for (int i = 0; i < weights.weights.length; i++) {
            int row = rows.at(weights.first + i);
            for (int d = 0; d < headDim; d++) {
                double term = weights.weights[i] * values[row + d];
                out[at + d] += term;
                tolerance[at + d] += (Bf16.ROUNDING + weights.uncertainty) * Math.abs(term);
            }
        }
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
        int count = rows(shape) * shape.heads();
        Fused qkv = new Fused(device.normalBf16(rows(shape) * width(shape), setup.deviation), shape);
        int[] starts = starts(device, setup);
        float[] dOut = device.normalBf16(count * headDim, 1);
        // What the forward pass gives: to the gradient an input like others.
        float[] out = new float[count * headDim];
        float[] lse = new float[count];
        double[] expected = new double[qkv.values.length];
        double[] tolerance = new double[expected.length];
        double scale = 1 / Math.sqrt(headDim);
        forEachQuery(shape, (sequence, token, head, at) -> {
            Weights weights = weights(qkv, starts, sequence, head, token);
            lse[at] = (float) weights.lse;
            double[] average = new double[headDim];
            average(
                    weights,
                    qkv.values,
                    key -> qkv.value(sequence, key, head),
                    headDim,
                    average,
                    new double[headDim],
                    0);
            int row = at * headDim;
            for (int d = 0; d < headDim; d++) {
                out[row + d] = Bf16.round((float) average[d]);
            }
            double delta = dot(dOut, row, out, row, headDim);
            double deltaMagnitude = dotOfMagnitudes(dOut, row, out, row, headDim);
            double rounding = Bf16.ROUNDING + weights.uncertainty;
            int query = qkv.query(sequence, token, head);
            for (int i = 0; i < weights.weights.length; i++) {
                int key = qkv.key(sequence, weights.first + i, head);
                int value = qkv.value(sequence, weights.first + i, head);
                double p = weights.weights[i];
                double ds = scale * p * (dot(dOut, row, qkv.values, value, headDim) - delta);
                double magnitude = dotOfMagnitudes(dOut, row, qkv.values, value, headDim) + deltaMagnitude;
                double dsTolerance = Math.abs(ds) * rounding + scale * FLOAT * p * magnitude;
                for (int d = 0; d < headDim; d++) {
                    expected[query + d] += ds * qkv.values[key + d];
                    tolerance[query + d] += dsTolerance * Math.abs(qkv.values[key + d]);
                    expected[key + d] += ds * qkv.values[query + d];
                    tolerance[key + d] += dsTolerance * Math.abs(qkv.values[query + d]);
                    expected[value + d] += p * dOut[row + d];
                    tolerance[value + d] += p * rounding * Math.abs(dOut[row + d]);
                }
            }
        });

        DeviceMemory dQkv = device.outputBf16(expected.length);
        Operands operands =
                new Operands(shape, device.bf16(qkv.values), device.i32(starts), device.bf16(out), device.f32(lse));
        device.run(gradient.bind(device.library(), operands, device.bf16(dOut), dQkv, device.output(workspaceBytes)));
        float[] actual = device.readBf16(dQkv);
        device.compare("dQkv", actual, expected, Bf16.ROUNDING, tolerance);
    }

    private static KernelCase cached(Shape shape, int position, int capacity) {
        String name = "attention cached %s at %d of %d".formatted(describe(shape), position, capacity);
        return new KernelCase(name, device -> cached(device, shape, position, capacity));
    }

    private static void cached(CheckDevice device, Shape shape, int position, int capacity) {
        int headDim = shape.headDim();
        Fused qkv = new Fused(device.normalBf16(rows(shape) * width(shape), 1), shape);
        float[] keys = cache(device, shape, position, capacity);
        float[] values = cache(device, shape, position, capacity);
        DeviceMemory keyCache = device.bf16(keys);
        DeviceMemory valueCache = device.bf16(values);
        int count = rows(shape) * shape.heads();
        DeviceMemory out = device.outputBf16((long) count * headDim);
        device.run(new CachedAttention(
                device.library(),
                device.bf16(qkv.values),
                keyCache,
                valueCache,
                device.i32(new int[] {position}),
                out,
                device.output(CachedAttention.workspaceBytes(device.library().device(), shape, capacity)),
                shape,
                capacity));

        forEachQuery(shape, (sequence, token, head, _) -> {
            int row = cacheRow(shape, capacity, sequence, head, position + token);
            System.arraycopy(qkv.values, qkv.key(sequence, token, head), keys, row, headDim);
            System.arraycopy(qkv.values, qkv.value(sequence, token, head), values, row, headDim);
        });
        double[] expected = new double[count * headDim];
        double[] tolerance = new double[expected.length];
        forEachQuery(shape, (sequence, token, head, at) -> {
            int last = position + token;
            int first = shape.window() == 0 ? 0 : Math.max(0, last - shape.window() + 1);
            Weights.Keys rows = key -> cacheRow(shape, capacity, sequence, head, key);
            int query = qkv.query(sequence, token, head);
            Weights weights = Weights.of(qkv.values, query, keys, rows, first, last, headDim);
            average(weights, values, rows, headDim, expected, tolerance, at * headDim);
        });
        device.compareExactly("keys", device.readBf16(keyCache), toDoubles(keys));
        device.compareExactly("values", device.readBf16(valueCache), toDoubles(values));
        device.compare("out", device.readBf16(out), expected, Bf16.ROUNDING, tolerance);
    }

    /// Rows before `position`; behind them is what nobody may read.
    private static float[] cache(CheckDevice device, Shape shape, int position, int capacity) {
        float[] cache = device.normalBf16(shape.sequences() * shape.keyValueHeads() * capacity * shape.headDim(), 1);
        int head = capacity * shape.headDim();
        for (int at = 0; at < cache.length; at += head) {
            Arrays.fill(cache, at + position * shape.headDim(), at + head, Float.NaN);
        }
        return cache;
    }

    /// Where the key of a query head lies in a cache.
    private static int cacheRow(Shape shape, int capacity, int sequence, int head, int token) {
        return ((sequence * shape.keyValueHeads() + head / group(shape)) * capacity + token) * shape.headDim();
    }

    private static double[] toDoubles(float[] values) {
        double[] doubles = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            doubles[i] = values[i];
        }
        return doubles;
    }
}
