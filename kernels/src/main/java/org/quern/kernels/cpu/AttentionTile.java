package org.quern.kernels.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// What attention's kernels share: a tile of queries of one head against the keys that they see.
///
/// Lanes are queries. A tile holds up to [#QUERIES] queries, transposed to [headDim, QUERIES]; scores are [keys,
/// QUERIES], made of rows of keys as they lie in memory. So maxima and sums over keys need no sums over lanes, and
/// keys and values are never rearranged (Dao et al., 2022, with the roles of queries and keys exchanged).
///
/// A query at position p sees the keys of its sequence at positions from its `first` to p; both are kept as floats,
/// which are exact up to 2^24.
final class AttentionTile {
    /// Queries of a tile.
    static final int QUERIES = TileProduct.WIDTH;
    /// Keys of a tile of scores.
    static final int KEYS = 64;
    /// Bytes of a value for each query.
    static final long ROW = TileProduct.ROW_BYTES;

    /// At most as many tasks as this share the work, each with scratch of its own.
    private static final int MAX_TASKS = 64;

    // Lower than all scores, yet finite: a query that sees no key of a tile gets e^(-inf - LOWEST) = 0, not NaN.
    private static final float LOWEST = -Float.MAX_VALUE;

    private AttentionTile() {}

    /// The tasks that share `units` of work.
    static int tasks(int units) {
        return Math.min(units, MAX_TASKS);
    }

    /// The first unit of a task.
    static int from(int task, int units) {
        return (int) ((long) units * task / tasks(units));
    }

    /// The bytes of scratch of [#forward].
    static long scratchBytes(int headDim) {
        return (2L * headDim + KEYS + 5) * ROW;
    }

    /// Attention of a tile of queries.
    ///
    /// @param queries how many, at most QUERIES
    /// @param position that of the first query in its sequence
    /// @param starts the address of int32 [queries]: the first position of each query's document; 0: all start at 0
    /// @param window how many keys a query sees at most; 0: all
    /// @param q the address of the first query's row; rows are qStride bytes apart
    /// @param k the address of the key at position 0
    /// @param v the address of the value at position 0
    /// @param lse where the log-sum-exp of the first query goes; 0: nowhere
    /// @param scratch the address of [#scratchBytes] bytes
    static void forward(
            int headDim,
            int queries,
            int position,
            long starts,
            int window,
            long q,
            long qStride,
            long k,
            long kStride,
            long v,
            long vStride,
            long out,
            long outStride,
            long lse,
            long lseStride,
            long scratch) {
        long transposed = scratch;
        long output = transposed + headDim * ROW;
        long scores = output + headDim * ROW;
        long max = scores + KEYS * ROW;
        long sum = max + ROW;
        long correction = sum + ROW;
        long first = correction + ROW;
        long last = first + ROW;

        transpose(q, qStride, queries, headDim, (float) (1 / Math.sqrt(headDim)), transposed);
        Lanes.zero(output, headDim * QUERIES);
        fill(max, LOWEST);
        fill(sum, 0);
        int lowest = visible(queries, position, starts, window, first, last);
        int end = position + queries;
        for (int key = lowest; key < end; key += KEYS) {
            int keys = Math.min(KEYS, end - key);
            TileProduct.multiply(keys, headDim, k + key * kStride, kStride, 4, transposed, ROW, scores, ROW, false);
            hide(scores, key, keys, position, first, last);
            softmax(scores, keys, max, sum, correction);
            if (key > lowest) {
                scaleRows(output, headDim, correction);
            }
            TileProduct.multiply(headDim, keys, v + key * vStride, 4, vStride, scores, ROW, output, ROW, true);
        }
        for (int query = 0; query < queries; query++) {
            float total = Lanes.get(sum + 4L * query);
            transposeBack(output + 4L * query, 1 / total, out + query * outStride, headDim, false);
            if (lse != 0) {
                double log = StrictMath.log(total) + Lanes.get(max + 4L * query);
                Lanes.set(lse + query * lseStride, (float) log);
            }
        }
    }

    /// Writes the first and last position that each query sees; lanes without a query see what the last one does.
    ///
    /// @return the first position that any sees
    static int visible(int queries, int position, long starts, int window, long first, long last) {
        int lowest = Integer.MAX_VALUE;
        for (int query = 0; query < QUERIES; query++) {
            int present = Math.min(query, queries - 1);
            int at = position + present;
            int start = starts == 0 ? 0 : Math.clamp(Lanes.getInt(starts + 4L * present), 0, at);
            int from = window == 0 ? start : Math.max(start, at - window + 1);
            Lanes.set(first + 4L * query, from);
            Lanes.set(last + 4L * query, at);
            lowest = Math.min(lowest, from);
        }
        return lowest;
    }

    /// Sets the scores of keys that a query does not see to minus infinity.
    static void hide(long scores, int key, int keys, int position, long first, long last) {
        for (long column = 0; column < ROW; column += Lanes.BYTES) {
            FloatVector from = Lanes.load(first + column);
            FloatVector to = Lanes.load(last + column);
            if (key + keys - 1 <= position
                    && from.compare(VectorOperators.LE, key).allTrue()) {
                continue;
            }
            long at = scores + column;
            for (int i = 0; i < keys; i++, at += ROW) {
                VectorMask<Float> seen =
                        from.compare(VectorOperators.LE, key + i).and(to.compare(VectorOperators.GE, key + i));
                Lanes.store(Lanes.broadcast(Float.NEGATIVE_INFINITY).blend(Lanes.load(at), seen), at);
            }
        }
    }

    /// Turns scores into weights relative to the maximum so far, and adds them to the sum so far, which is first
    /// corrected for the growth of the maximum.
    private static void softmax(long scores, int keys, long max, long sum, long correction) {
        for (long column = 0; column < ROW; column += Lanes.BYTES) {
            long at = scores + column;
            FloatVector before = Lanes.load(max + column);
            FloatVector highest = before;
            for (int i = 0; i < keys; i++, at += ROW) {
                highest = Lanes.max(highest, Lanes.load(at));
            }
            FloatVector factor = VectorMath.exp(before.sub(highest));
            FloatVector total = Lanes.load(sum + column).mul(factor);
            at = scores + column;
            for (int i = 0; i < keys; i++, at += ROW) {
                FloatVector weight = VectorMath.exp(Lanes.load(at).sub(highest));
                total = total.add(weight);
                Lanes.store(weight, at);
            }
            Lanes.store(highest, max + column);
            Lanes.store(total, sum + column);
            Lanes.store(factor, correction + column);
        }
    }

    /// Multiplies each of `rows` rows by a row.
    private static void scaleRows(long x, int rows, long factors) {
        FloatVector left = Lanes.load(factors);
        FloatVector right = Lanes.load(factors + Lanes.BYTES);
        for (int i = 0; i < rows; i++, x += ROW) {
            Lanes.store(Lanes.load(x).mul(left), x);
            Lanes.store(Lanes.load(x + Lanes.BYTES).mul(right), x + Lanes.BYTES);
        }
    }

    /// Sets all lanes of a row.
    static void fill(long row, float value) {
        FloatVector values = Lanes.broadcast(value);
        Lanes.store(values, row);
        Lanes.store(values, row + Lanes.BYTES);
    }

    /// Copies rows of `width` floats into columns of [width, QUERIES], times a factor; columns without a row become 0.
    static void transpose(long from, long stride, int rows, int width, float factor, long to) {
        if (rows < QUERIES) {
            Lanes.zero(to, width * QUERIES);
        }
        for (int row = 0; row < rows; row++) {
            long source = from + row * stride;
            long target = to + 4L * row;
            for (int i = 0; i < width; i++) {
                Lanes.set(target + i * ROW, factor * Lanes.get(source + 4L * i));
            }
        }
    }

    /// Sets a row to a column of [width, QUERIES], times a factor, or adds that to it.
    static void transposeBack(long from, float factor, long to, int width, boolean accumulate) {
        for (int i = 0; i < width; i++) {
            float value = factor * Lanes.get(from + i * ROW);
            Lanes.set(to + 4L * i, accumulate ? value + Lanes.get(to + 4L * i) : value);
        }
    }
}
