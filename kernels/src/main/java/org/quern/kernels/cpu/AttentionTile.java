package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.FLOAT;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.getInt;
import static org.quern.kernels.cpu.Native.put;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// What attention's kernels share: a tile of queries of one head against the keys that they see.
///
/// Lanes are queries. A tile holds up to [#QUERIES] queries, transposed to [headDim, QUERIES]; scores are
/// [keys, QUERIES], made of rows of keys as they lie in memory. So maxima and sums over keys need no sums
/// over lanes, and keys and values are never rearranged (Dao et al., 2022, with the roles of queries and keys
/// exchanged).
///
/// A query at position p sees the keys of its sequence at positions from its `first` to p; both are kept as
/// floats, which are exact up to 2^24.
final class AttentionTile {
    /// Queries of a tile.
    static final int QUERIES = TileProduct.WIDTH;
    /// Keys of a tile of scores.
    static final int KEYS = 64;
    /// Bytes of a value for each query.
    static final long ROW = 2 * BYTES;

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
    /// @param starts the address of int32 [queries]: the first position of each query's document; 0: all
    /// start at 0
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
        long correction = output + headDim * ROW;
        long scores = correction + ROW;
        long max = scores + KEYS * ROW;
        long sum = max + ROW;
        long first = sum + ROW;
        long last = first + ROW;

        transpose(q, qStride, queries, headDim, (float) (1 / Math.sqrt(headDim)), transposed);
        Rows.fill(output, 0, headDim * QUERIES);
        Rows.fill(max, LOWEST, QUERIES);
        Rows.fill(sum, 0, QUERIES);
        int lowest = visible(queries, position, starts, window, first, last);
        int end = position + queries;
        for (int key = lowest; key < end; key += KEYS) {
            int keys = Math.min(KEYS, end - key);
            Rows.fill(scores, 0, keys * QUERIES);
            TileProduct.add(keys, headDim, k + key * kStride, kStride, 4, transposed, ROW, scores, ROW);
            hide(scores, key, keys, first, last);
            softmax(correction, keys, max, sum);
            softmax(correction + BYTES, keys, max + BYTES, sum + BYTES);
            if (key > lowest) {
                multiply(output, headDim, correction);
            }
            TileProduct.add(headDim, keys, v + key * vStride, 4, vStride, scores, ROW, output, ROW);
        }
        if (lse != 0) {
            for (int query = 0; query < queries; query++, lse += lseStride) {
                double log = StrictMath.log(MEMORY.get(FLOAT, sum + 4L * query));
                MEMORY.set(FLOAT, lse, (float) (MEMORY.get(FLOAT, max + 4L * query) + log));
            }
        }
        invert(sum);
        multiply(output, headDim, sum);
        transposeBack(output, out, outStride, queries, headDim, false);
    }

    /// Writes the first and last position that each query sees; lanes without a query see what the last one
    /// does.
    ///
    /// @return the first position that any sees
    static int visible(int queries, int position, long starts, int window, long first, long last) {
        int lowest = Integer.MAX_VALUE;
        for (int query = 0; query < QUERIES; query++) {
            int present = Math.min(query, queries - 1);
            int at = position + present;
            int start = starts == 0 ? 0 : Math.clamp(getInt(starts + 4L * present), 0, at);
            int from = window == 0 ? start : Math.max(start, at - window + 1);
            put(first + 4L * query, from);
            put(last + 4L * query, at);
            lowest = Math.min(lowest, from);
        }
        return lowest;
    }

    /// Sets the scores of keys that a query does not see to minus infinity.
    static void hide(long scores, int key, int keys, long first, long last) {
        FloatVector hidden = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        for (long column = 0; column < ROW; column += BYTES) {
            FloatVector from = FloatVector.fromMemorySegment(SPECIES, MEMORY, first + column, ORDER);
            FloatVector to = FloatVector.fromMemorySegment(SPECIES, MEMORY, last + column, ORDER);
            // Positions grow from lane to lane.
            boolean allBefore = key + keys - 1 <= MEMORY.get(FLOAT, last + column);
            if (allBefore && from.compare(VectorOperators.LE, key).allTrue()) {
                continue;
            }
            long at = scores + column;
            for (int i = 0; i < keys; i++, at += ROW) {
                VectorMask<Float> unseen =
                        from.compare(VectorOperators.GT, key + i).or(to.compare(VectorOperators.LT, key + i));
                FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER)
                        .blend(hidden, unseen)
                        .intoMemorySegment(MEMORY, at, ORDER);
            }
        }
    }

    /// Turns a column of scores into weights relative to the maximum so far, and adds them to the sum so far.
    /// The row before the scores becomes the factor that corrects what was summed relative to the maximum
    /// before.
    private static void softmax(long correction, int keys, long max, long sum) {
        FloatVector highest = FloatVector.fromMemorySegment(SPECIES, MEMORY, max, ORDER);
        highest.intoMemorySegment(MEMORY, correction, ORDER);
        long at = correction;
        for (int i = 0; i < keys; i++) {
            at += ROW;
            FloatVector score = FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER);
            highest = highest.blend(score, score.compare(VectorOperators.GT, highest));
        }
        highest.intoMemorySegment(MEMORY, max, ORDER);
        FloatVector total = FloatVector.zero(SPECIES);
        at = correction;
        for (int i = 0; i <= keys; i++, at += ROW) {
            FloatVector score = FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER);
            FloatVector weight = VectorMath.exp(score.sub(highest));
            weight.intoMemorySegment(MEMORY, at, ORDER);
            total = total.add(weight);
        }
        // The total counts the correction once: as if the sum before had been 1.
        FloatVector.fromMemorySegment(SPECIES, MEMORY, sum, ORDER)
                .sub(1f)
                .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, correction, ORDER), total)
                .intoMemorySegment(MEMORY, sum, ORDER);
    }

    /// Turns a row into its reciprocals.
    private static void invert(long row) {
        for (long column = row; column < row + ROW; column += BYTES) {
            FloatVector.broadcast(SPECIES, 1f)
                    .div(FloatVector.fromMemorySegment(SPECIES, MEMORY, column, ORDER))
                    .intoMemorySegment(MEMORY, column, ORDER);
        }
    }

    /// Multiplies each row by a row of factors.
    private static void multiply(long x, int rows, long factors) {
        FloatVector left = FloatVector.fromMemorySegment(SPECIES, MEMORY, factors, ORDER);
        FloatVector right = FloatVector.fromMemorySegment(SPECIES, MEMORY, factors + BYTES, ORDER);
        for (int i = 0; i < rows; i++, x += ROW) {
            FloatVector.fromMemorySegment(SPECIES, MEMORY, x, ORDER).mul(left).intoMemorySegment(MEMORY, x, ORDER);
            FloatVector.fromMemorySegment(SPECIES, MEMORY, x + BYTES, ORDER)
                    .mul(right)
                    .intoMemorySegment(MEMORY, x + BYTES, ORDER);
        }
    }

    /// Copies rows of `width` floats into columns of [width, QUERIES], times a factor; columns without a row
    /// become 0.
    static void transpose(long from, long stride, int rows, int width, float factor, long to) {
        if (rows < QUERIES) {
            Rows.fill(to, 0, width * QUERIES);
        }
        int blocks = width / LANES;
        for (int row = 0; row < rows; row++) {
            long source = from + row * stride;
            long block = to + row / LANES * BYTES + row % LANES * ROW;
            for (int i = 0; i < blocks; i++, source += BYTES, block += LANES * ROW) {
                FloatVector.fromMemorySegment(SPECIES, MEMORY, source, ORDER)
                        .mul(factor)
                        .intoMemorySegment(MEMORY, block, ORDER);
            }
            long target = to + blocks * LANES * ROW + 4L * row;
            for (int i = blocks * LANES; i < width; i++, source += 4, target += ROW) {
                MEMORY.set(FLOAT, target, factor * MEMORY.get(FLOAT, source));
            }
        }
        transposeBlocks(to, blocks);
    }

    /// Sets rows to columns of [width, QUERIES], or adds them. The columns are lost.
    static void transposeBack(long from, long to, long stride, int rows, int width, boolean accumulate) {
        int blocks = width / LANES;
        transposeBlocks(from, blocks);
        for (int row = 0; row < rows; row++) {
            long target = to + row * stride;
            long block = from + row / LANES * BYTES + row % LANES * ROW;
            for (int i = 0; i < blocks; i++, target += BYTES, block += LANES * ROW) {
                FloatVector value = FloatVector.fromMemorySegment(SPECIES, MEMORY, block, ORDER);
                if (accumulate) {
                    FloatVector.fromMemorySegment(SPECIES, MEMORY, target, ORDER)
                            .add(value)
                            .intoMemorySegment(MEMORY, target, ORDER);
                } else {
                    value.intoMemorySegment(MEMORY, target, ORDER);
                }
            }
            long source = from + blocks * LANES * ROW + 4L * row;
            for (int i = blocks * LANES; i < width; i++, source += ROW, target += 4) {
                float value = MEMORY.get(FLOAT, source);
                MEMORY.set(FLOAT, target, accumulate ? value + MEMORY.get(FLOAT, target) : value);
            }
        }
    }

    private static void transposeBlocks(long tile, int blocks) {
        for (int i = 0; i < blocks; i++, tile += LANES * ROW) {
            TileTranspose.transpose(tile, ROW);
            TileTranspose.transpose(tile + BYTES, ROW);
        }
    }
}
