package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.FLOAT;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.getInt;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/// Attention for generation: appends the keys and values of new rows to a cache, then attends from it.
///
/// As [Attention], for `shape.length()` new rows of each sequence that follow `position` rows in the cache,
/// which are of one document. A unit of work is a key head of a sequence with all its query heads.
public final class CachedAttention implements Kernel {
    private final MemorySegment qkv;
    private final MemorySegment keyCache;
    private final MemorySegment valueCache;
    private final MemorySegment position;
    private final MemorySegment out;
    private final MemorySegment workspace;
    private final Attention.Shape shape;
    private final int capacity;
    private final int units;
    private final long scratchBytes;

    /// @param qkv [sequences * length, (heads + 2 keyValueHeads) * headDim]: the new rows
    /// @param keyCache [sequences, keyValueHeads, capacity, headDim]; changed
    /// @param valueCache as `keyCache`
    /// @param position int32 [1], read when run: that of the first new row; running fails if the rows overrun
    /// the cache
    /// @param out [sequences * length, heads * headDim]
    /// @param workspace [#workspaceBytes] bytes
    public CachedAttention(
            MemorySegment qkv,
            MemorySegment keyCache,
            MemorySegment valueCache,
            MemorySegment position,
            MemorySegment out,
            MemorySegment workspace,
            Attention.Shape shape,
            int capacity) {
        this.units = units(shape);
        this.qkv = Buffers.floats(qkv, (long) shape.rows() * shape.fusedWidth());
        this.keyCache = Buffers.floats(keyCache, (long) units * capacity * shape.headDim());
        this.valueCache = Buffers.floats(valueCache, (long) units * capacity * shape.headDim());
        this.position = Buffers.ints(position, 1);
        this.out = Buffers.floats(out, (long) shape.rows() * shape.heads() * shape.headDim());
        this.workspace = Buffers.bytes(workspace, workspaceBytes(shape, capacity));
        this.shape = shape;
        this.capacity = capacity;
        this.scratchBytes = scratchBytes(shape, capacity);
    }

    private static int units(Attention.Shape shape) {
        return Math.multiplyExact(shape.sequences(), shape.keyValueHeads());
    }

    private static long scratchBytes(Attention.Shape shape, int capacity) {
        return shape.length() == 1 ? (long) capacity * Float.BYTES : AttentionTile.scratchBytes(shape.headDim());
    }

    /// The scratch that the kernel needs.
    public static long workspaceBytes(Attention.Shape shape, int capacity) {
        return AttentionTile.tasks(units(shape)) * scratchBytes(shape, capacity);
    }

    @Override
    public int tasks(int phase) {
        return AttentionTile.tasks(units);
    }

    @Override
    public void run(int phase, int task) {
        int position = getInt(address(this.position));
        Objects.checkFromIndexSize(position, shape.length(), capacity);
        long scratch = address(workspace) + task * scratchBytes;
        int to = AttentionTile.from(task + 1, units);
        for (int unit = AttentionTile.from(task, units); unit < to; unit++) {
            long keys = address(keyCache) + unit * capacity * shape.headBytes();
            long values = address(valueCache) + unit * capacity * shape.headBytes();
            long row = (long) (unit / shape.keyValueHeads()) * shape.length();
            int keyHead = unit % shape.keyValueHeads();
            append(row, keyHead, position, keys, values);
            for (int head = keyHead * shape.group(); head < (keyHead + 1) * shape.group(); head++) {
                if (shape.length() == 1) {
                    one(row, head, position, keys, values, scratch);
                } else {
                    for (int tile = 0; tile < shape.length(); tile += AttentionTile.QUERIES) {
                        tile(row + tile, head, position + tile, shape.length() - tile, keys, values, scratch);
                    }
                }
            }
        }
    }

    private void append(long row, int keyHead, int position, long keys, long values) {
        long fused = address(qkv) + row * shape.fusedStride();
        long to = position * shape.headBytes();
        for (int i = 0; i < shape.length(); i++, fused += shape.fusedStride(), to += shape.headBytes()) {
            Rows.copy(fused + shape.keyOffset(keyHead), keys + to, shape.headDim());
            Rows.copy(fused + shape.valueOffset(keyHead), values + to, shape.headDim());
        }
    }

    private void tile(long row, int head, int position, int remaining, long keys, long values, long scratch) {
        AttentionTile.forward(
                shape.headDim(),
                Math.min(AttentionTile.QUERIES, remaining),
                position,
                0,
                shape.window(),
                address(qkv) + row * shape.fusedStride() + head * shape.headBytes(),
                shape.fusedStride(),
                keys,
                shape.headBytes(),
                values,
                shape.headBytes(),
                address(out) + row * shape.outStride() + head * shape.headBytes(),
                shape.outStride(),
                0,
                0,
                scratch);
    }

    /// A single query: lanes are columns of the head, and a tile would be idle but for one lane.
    private void one(long row, int head, int position, long keys, long values, long weights) {
        int headDim = shape.headDim();
        long headBytes = shape.headBytes();
        long q = address(qkv) + row * shape.fusedStride() + head * headBytes;
        int first = shape.window() == 0 ? 0 : Math.max(0, position - shape.window() + 1);
        int count = position + 1 - first;
        float scale = (float) (1 / Math.sqrt(headDim));
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            float score = scale * Rows.dot(q, keys + (first + i) * headBytes, headDim);
            max = Math.max(max, score);
            put(weights + 4L * i, score);
        }
        exp(weights, max, count);
        long out = address(this.out) + row * shape.outStride() + head * headBytes;
        average(weights, count, values + first * headBytes, out);
    }

    /// Turns scores into weights relative to their maximum.
    private static void exp(long scores, float max, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES, scores += BYTES) {
            store(VectorMath.exp(load(scores).sub(max)), scores);
        }
        for (; i < count; i++, scores += Float.BYTES) {
            put(scores, (float) StrictMath.exp(get(scores) - max));
        }
    }

    /// out = the average of values[i, :], weighted.
    private void average(long weights, int count, long values, long out) {
        int headDim = shape.headDim();
        long stride = shape.headBytes();
        int column = 0;
        for (; column <= headDim - LANES; column += LANES, values += BYTES, out += BYTES) {
            FloatVector sum = FloatVector.zero(SPECIES);
            FloatVector total = sum;
            long value = values;
            for (int i = 0; i < count; i++, value += stride) {
                FloatVector weight = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, weights + 4L * i));
                sum = weight.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, value, ORDER), sum);
                total = total.add(weight);
            }
            sum.div(total).intoMemorySegment(MEMORY, out, ORDER);
        }
        for (; column < headDim; column++, values += Float.BYTES, out += Float.BYTES) {
            float sum = 0;
            float total = 0;
            long value = values;
            for (int i = 0; i < count; i++, value += stride) {
                float weight = MEMORY.get(FLOAT, weights + 4L * i);
                sum += weight * MEMORY.get(FLOAT, value);
                total += weight;
            }
            MEMORY.set(FLOAT, out, sum / total);
        }
    }
}
