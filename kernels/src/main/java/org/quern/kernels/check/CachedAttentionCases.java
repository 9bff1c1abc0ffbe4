package org.quern.kernels.check;

import java.util.Arrays;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.check.AttentionReference.Fused;
import org.quern.kernels.check.AttentionReference.Weights;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.kernels.cuda.CachedAttention;

/// Attention of new tokens over a cache of keys and values; what it may be off is in [AttentionCases].
final class CachedAttentionCases {
    private CachedAttentionCases() {}

    static Stream<KernelCase> cases() {
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

    /// Longer caches, more new tokens.
    static Stream<KernelCase> slowCases() {
        return Attention.HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(0, 1, 63, 64, 1000, 4095)
                        .flatMap(position -> Stream.of(1, 2, 16, 17, 300)
                                .map(length -> cached(new Shape(3, length, 8, 2, headDim, 0), position, 4400))));
    }

    private static KernelCase cached(Shape shape, int position, int capacity) {
        String name = "attention cached %s at %d of %d".formatted(AttentionCases.describe(shape), position, capacity);
        return new KernelCase(name, device -> cached(device, shape, position, capacity));
    }

    private static void cached(CheckDevice device, Shape shape, int position, int capacity) {
        int headDim = shape.headDim();
        Fused qkv = Fused.of(device, shape, 1);
        float[] keys = cache(device, shape, position, capacity);
        float[] values = cache(device, shape, position, capacity);
        DeviceMemory keyCache = device.bf16(keys);
        DeviceMemory valueCache = device.bf16(values);
        int count = AttentionReference.rows(shape) * shape.heads();
        DeviceMemory out = device.outputBf16((long) count * headDim);
        device.run(new CachedAttention(
                device.library(),
                device.bf16(qkv.values()),
                keyCache,
                valueCache,
                device.i32(new int[] {position}),
                out,
                device.output(CachedAttention.workspaceBytes(device.library().device(), shape, capacity)),
                shape,
                capacity));

        AttentionReference.forEachQuery(shape, (sequence, token, head, _) -> {
            int row = cacheRow(shape, capacity, sequence, head, position + token);
            System.arraycopy(qkv.values(), qkv.key(sequence, token, head), keys, row, headDim);
            System.arraycopy(qkv.values(), qkv.value(sequence, token, head), values, row, headDim);
        });
        double[] expected = new double[count * headDim];
        double[] tolerance = new double[expected.length];
        AttentionReference.forEachQuery(shape, (sequence, token, head, at) -> {
            int last = position + token;
            int first = shape.window() == 0 ? 0 : Math.max(0, last - shape.window() + 1);
            Weights.Keys rows = key -> cacheRow(shape, capacity, sequence, head, key);
            int query = qkv.query(sequence, token, head);
            Weights weights = Weights.of(qkv.values(), query, keys, rows, first, last, headDim);
            weights.average(values, rows, headDim, expected, tolerance, at * headDim);
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
        return ((sequence * shape.keyValueHeads() + head / AttentionReference.group(shape)) * capacity + token)
                * shape.headDim();
    }

    private static double[] toDoubles(float[] values) {
        double[] doubles = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            doubles[i] = values[i];
        }
        return doubles;
    }
}
