package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.put;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Causal attention for training (Dao et al., 2022): memory grows with the sequence, not with its square.
///
/// Rows of fused queries, keys and values hold `heads` query heads, `keyValueHeads` key heads and as many
/// value heads, each of `headDim` columns; `heads / keyValueHeads` neighbouring query heads share a key head
/// (grouped queries). Token t of a sequence sees the tokens from max(start[t], t - window + 1) to t; scores
/// are scaled by 1 / sqrt(headDim).
public final class Attention {
    private Attention() {}

    /// The sizes of attention.
    ///
    /// @param sequences in the batch
    /// @param length rows of a sequence
    /// @param heads query heads
    /// @param keyValueHeads key heads, and value heads, a divisor of `heads`
    /// @param headDim columns of a head
    /// @param window how many tokens a token sees at most, itself included; 0: all before it
    public record Shape(int sequences, int length, int heads, int keyValueHeads, int headDim, int window) {
        public Shape {
            if (heads % keyValueHeads != 0) {
                throw new IllegalArgumentException(
                        "keyValueHeads must divide heads %d: got %d".formatted(heads, keyValueHeads));
            }
        }

        int rows() {
            return sequences * length;
        }

        /// Query heads that share a key head.
        int group() {
            return heads / keyValueHeads;
        }

        /// Columns of fused queries, keys and values.
        int fusedWidth() {
            return (heads + 2 * keyValueHeads) * headDim;
        }

        long headBytes() {
            return (long) headDim * Float.BYTES;
        }

        /// Bytes from one row of fused queries, keys and values to the next.
        long fusedStride() {
            return fusedWidth() * (long) Float.BYTES;
        }

        /// Bytes from one row of outputs to the next.
        long outStride() {
            return heads * headBytes();
        }

        /// Where in a fused row the key head of a group starts.
        long keyOffset(int keyHead) {
            return (heads + keyHead) * headBytes();
        }

        /// Where in a fused row the value head of a group starts.
        long valueOffset(int keyHead) {
            return (heads + keyValueHeads + keyHead) * headBytes();
        }

        /// Tiles of queries of a sequence.
        int tiles() {
            return Math.ceilDiv(length, AttentionTile.QUERIES);
        }
    }

    /// out = softmax(q k^T / sqrt(headDim)) v over the keys that each token sees, and lse, the log of the
    /// softmax's denominator.
    ///
    /// A unit of work is a tile of queries of one head.
    public static final class Forward implements Kernel {
        private final MemorySegment qkv;
        private final MemorySegment starts;
        private final MemorySegment out;
        private final MemorySegment lse;
        private final MemorySegment workspace;
        private final Shape shape;
        private final int units;

        /// @param qkv [sequences * length, (heads + 2 keyValueHeads) * headDim]
        /// @param starts int32 [sequences * length]: where in its sequence each token's document begins
        /// @param out [sequences * length, heads * headDim]
        /// @param lse [sequences * length, heads]
        /// @param workspace [#workspaceBytes] bytes
        public Forward(
                MemorySegment qkv,
                MemorySegment starts,
                MemorySegment out,
                MemorySegment lse,
                MemorySegment workspace,
                Shape shape) {
            this.qkv = Buffers.floats(qkv, (long) shape.rows() * shape.fusedWidth());
            this.starts = Buffers.ints(starts, shape.rows());
            this.out = Buffers.floats(out, (long) shape.rows() * shape.heads() * shape.headDim());
            this.lse = Buffers.floats(lse, (long) shape.rows() * shape.heads());
            this.workspace = Buffers.bytes(workspace, workspaceBytes(shape));
            this.shape = shape;
            this.units = units(shape);
        }

        private static int units(Shape shape) {
            return Math.multiplyExact(shape.sequences() * shape.heads(), shape.tiles());
        }

        /// The scratch that the kernel needs.
        public static long workspaceBytes(Shape shape) {
            return AttentionTile.tasks(units(shape)) * AttentionTile.scratchBytes(shape.headDim());
        }

        @Override
        public int tasks(int phase) {
            return AttentionTile.tasks(units);
        }

        @Override
        public void run(int phase, int task) {
            long scratch = address(workspace) + task * AttentionTile.scratchBytes(shape.headDim());
            int to = AttentionTile.from(task + 1, units);
            for (int unit = AttentionTile.from(task, units); unit < to; unit++) {
                int tile = unit % shape.tiles();
                int head = unit / shape.tiles() % shape.heads();
                int sequence = unit / shape.tiles() / shape.heads();
                tile(sequence, head, tile * AttentionTile.QUERIES, scratch);
            }
        }

        private void tile(int sequence, int head, int position, long scratch) {
            long row = (long) sequence * shape.length();
            long tileRow = row + position;
            long fused = address(qkv) + row * shape.fusedStride();
            int keyHead = head / shape.group();
            AttentionTile.forward(
                    shape.headDim(),
                    Math.min(AttentionTile.QUERIES, shape.length() - position),
                    position,
                    address(starts) + tileRow * Integer.BYTES,
                    shape.window(),
                    fused + position * shape.fusedStride() + head * shape.headBytes(),
                    shape.fusedStride(),
                    fused + shape.keyOffset(keyHead),
                    shape.fusedStride(),
                    fused + shape.valueOffset(keyHead),
                    shape.fusedStride(),
                    address(out) + tileRow * shape.outStride() + head * shape.headBytes(),
                    shape.outStride(),
                    address(lse) + (tileRow * shape.heads() + head) * Float.BYTES,
                    (long) shape.heads() * Float.BYTES,
                    scratch);
        }
    }

    /// dQkv (+)= the gradient of attention.
    ///
    /// With p the weights: dV = p^T dOut, dp = dOut v^T, ds = p * (dp - rowsum(dOut * out)) / sqrt(headDim),
    /// dQ = ds k, dK = ds^T q. The weights are computed again, a tile of queries against a tile of keys at a
    /// time.
    ///
    /// A unit of work is a key head of a sequence with all its query heads, so that dK and dV are added to in a
    /// fixed order.
    public static final class Backward implements Kernel {
        private final MemorySegment qkv;
        private final MemorySegment starts;
        private final MemorySegment out;
        private final MemorySegment lse;
        private final MemorySegment dOut;
        private final MemorySegment dQkv;
        private final boolean accumulate;
        private final MemorySegment workspace;
        private final Shape shape;
        private final int units;

        /// @param qkv [sequences * length, (heads + 2 keyValueHeads) * headDim]
        /// @param starts int32 [sequences * length]
        /// @param out [sequences * length, heads * headDim], from the forward pass
        /// @param lse [sequences * length, heads], from the forward pass
        /// @param dOut as `out`
        /// @param dQkv as `qkv`
        /// @param workspace [#workspaceBytes] bytes
        public Backward(
                MemorySegment qkv,
                MemorySegment starts,
                MemorySegment out,
                MemorySegment lse,
                MemorySegment dOut,
                MemorySegment dQkv,
                boolean accumulate,
                MemorySegment workspace,
                Shape shape) {
            this.qkv = Buffers.floats(qkv, (long) shape.rows() * shape.fusedWidth());
            this.starts = Buffers.ints(starts, shape.rows());
            this.out = Buffers.floats(out, (long) shape.rows() * shape.heads() * shape.headDim());
            this.lse = Buffers.floats(lse, (long) shape.rows() * shape.heads());
            this.dOut = Buffers.floats(dOut, (long) shape.rows() * shape.heads() * shape.headDim());
            this.dQkv = Buffers.floats(dQkv, (long) shape.rows() * shape.fusedWidth());
            this.accumulate = accumulate;
            this.workspace = Buffers.bytes(workspace, workspaceBytes(shape));
            this.shape = shape;
            this.units = units(shape);
        }

        private static int units(Shape shape) {
            return Math.multiplyExact(shape.sequences(), shape.keyValueHeads());
        }

        /// The scratch that the kernel needs.
        public static long workspaceBytes(Shape shape) {
            return AttentionTile.tasks(units(shape)) * scratchBytes(shape.headDim());
        }

        /// headDim, rounded up to the width of a panel.
        private static int paddedDim(int headDim) {
            return Math.ceilDiv(headDim, TileProduct.WIDTH) * TileProduct.WIDTH;
        }

        private static long scratchBytes(int headDim) {
            long rows = 3L * headDim + 2L * AttentionTile.KEYS + 4;
            long padded = 2L * AttentionTile.QUERIES + AttentionTile.KEYS;
            return rows * AttentionTile.ROW + padded * paddedDim(headDim) * Float.BYTES;
        }

        @Override
        public int tasks(int phase) {
            return AttentionTile.tasks(units);
        }

        @Override
        public void run(int phase, int task) {
            long scratch = address(workspace) + task * scratchBytes(shape.headDim());
            int to = AttentionTile.from(task + 1, units);
            for (int unit = AttentionTile.from(task, units); unit < to; unit++) {
                group(unit / shape.keyValueHeads(), unit % shape.keyValueHeads(), scratch);
            }
        }

        private void group(int sequence, int keyHead, long scratch) {
            long row = (long) sequence * shape.length();
            if (!accumulate) {
                long fused = address(dQkv) + row * shape.fusedStride();
                for (int i = 0; i < shape.length(); i++, fused += shape.fusedStride()) {
                    Rows.fill(fused + shape.keyOffset(keyHead), 0, shape.headDim());
                    Rows.fill(fused + shape.valueOffset(keyHead), 0, shape.headDim());
                }
            }
            for (int head = keyHead * shape.group(); head < (keyHead + 1) * shape.group(); head++) {
                for (int position = 0; position < shape.length(); position += AttentionTile.QUERIES) {
                    tile(row, keyHead, head, position, scratch);
                }
            }
        }

        /// The part of a tile of queries of one head. Scratch holds: q, dOut and dQ transposed [headDim,
        /// QUERIES], weights and their gradients [KEYS, QUERIES], four rows [QUERIES], and with rows of
        /// padded width: q and dOut [QUERIES], dK or dV [KEYS].
        private void tile(long row, int keyHead, int head, int position, long scratch) {
            int headDim = shape.headDim();
            long stride = shape.fusedStride();
            long outStride = shape.outStride();
            int queries = Math.min(AttentionTile.QUERIES, shape.length() - position);
            long tileRow = row + position;
            float scale = (float) (1 / Math.sqrt(headDim));

            long transposed = scratch;
            long dTransposed = transposed + headDim * AttentionTile.ROW;
            long dQuery = dTransposed + headDim * AttentionTile.ROW;
            long weights = dQuery + headDim * AttentionTile.ROW;
            long dScores = weights + AttentionTile.KEYS * AttentionTile.ROW;
            long lses = dScores + AttentionTile.KEYS * AttentionTile.ROW;
            long deltas = lses + AttentionTile.ROW;
            long first = deltas + AttentionTile.ROW;
            long last = first + AttentionTile.ROW;
            long padded = (long) paddedDim(headDim) * Float.BYTES;
            long queryRows = last + AttentionTile.ROW;
            long dRows = queryRows + AttentionTile.QUERIES * padded;
            long sums = dRows + AttentionTile.QUERIES * padded;

            long fused = address(qkv) + row * stride;
            long q = fused + position * stride + head * shape.headBytes();
            long out = address(this.out) + tileRow * outStride + head * shape.headBytes();
            long dOut = address(this.dOut) + tileRow * outStride + head * shape.headBytes();
            long lse = address(this.lse) + (tileRow * shape.heads() + head) * Float.BYTES;
            AttentionTile.transpose(q, stride, queries, headDim, scale, transposed);
            AttentionTile.transpose(dOut, outStride, queries, headDim, 1, dTransposed);
            pad(q, stride, queries, queryRows, padded);
            pad(dOut, outStride, queries, dRows, padded);
            // Lanes without a query get no weight.
            Rows.fill(lses, Float.POSITIVE_INFINITY, AttentionTile.QUERIES);
            Rows.fill(deltas, 0, AttentionTile.QUERIES);
            for (int i = 0; i < queries; i++) {
                put(lses + 4L * i, get(lse + (long) i * shape.heads() * Float.BYTES));
                put(deltas + 4L * i, Rows.dot(dOut + i * outStride, out + i * outStride, headDim));
            }
            Rows.fill(dQuery, 0, headDim * AttentionTile.QUERIES);

            long starts = address(this.starts) + tileRow * Integer.BYTES;
            int lowest = AttentionTile.visible(queries, position, starts, shape.window(), first, last);
            int end = position + queries;
            for (int key = lowest; key < end; key += AttentionTile.KEYS) {
                int keys = Math.min(AttentionTile.KEYS, end - key);
                long k = fused + key * stride + shape.keyOffset(keyHead);
                long v = fused + key * stride + shape.valueOffset(keyHead);
                long dFused = address(dQkv) + (row + key) * stride;
                Rows.fill(weights, 0, keys * AttentionTile.QUERIES);
                Rows.fill(dScores, 0, keys * AttentionTile.QUERIES);
                TileProduct.add(keys, headDim, k, stride, 4, transposed, AttentionTile.ROW, weights, AttentionTile.ROW);
                TileProduct.add(
                        keys, headDim, v, stride, 4, dTransposed, AttentionTile.ROW, dScores, AttentionTile.ROW);
                AttentionTile.hide(weights, key, keys, first, last);
                differentiate(weights, dScores, keys, lses, deltas, scale);
                addProduct(weights, keys, dRows, padded, sums, dFused + shape.valueOffset(keyHead));
                addProduct(dScores, keys, queryRows, padded, sums, dFused + shape.keyOffset(keyHead));
                TileProduct.add(headDim, keys, k, 4, stride, dScores, AttentionTile.ROW, dQuery, AttentionTile.ROW);
            }
            long dQ = address(dQkv) + tileRow * stride + head * shape.headBytes();
            AttentionTile.transposeBack(dQuery, dQ, stride, queries, headDim, accumulate);
        }

        /// Copies rows to rows of padded width, and zeroes the rest of QUERIES rows.
        private void pad(long from, long stride, int rows, long to, long padded) {
            if (rows < AttentionTile.QUERIES || padded > shape.headBytes()) {
                Rows.fill(to, 0, (int) (AttentionTile.QUERIES * padded / Float.BYTES));
            }
            for (int i = 0; i < rows; i++) {
                Rows.copy(from + i * stride, to + i * padded, shape.headDim());
            }
        }

        /// Turns scores into weights, and gradients of weights into gradients of scores.
        private static void differentiate(long scores, long dWeights, int keys, long lses, long deltas, float scale) {
            for (long column = 0; column < AttentionTile.ROW; column += BYTES) {
                FloatVector lse = FloatVector.fromMemorySegment(SPECIES, MEMORY, lses + column, ORDER);
                FloatVector delta = FloatVector.fromMemorySegment(SPECIES, MEMORY, deltas + column, ORDER);
                long at = column;
                for (int i = 0; i < keys; i++, at += AttentionTile.ROW) {
                    FloatVector score = FloatVector.fromMemorySegment(SPECIES, MEMORY, scores + at, ORDER);
                    FloatVector weight = VectorMath.exp(score.sub(lse));
                    weight.intoMemorySegment(MEMORY, scores + at, ORDER);
                    FloatVector.fromMemorySegment(SPECIES, MEMORY, dWeights + at, ORDER)
                            .sub(delta)
                            .mul(weight)
                            .mul(scale)
                            .intoMemorySegment(MEMORY, dWeights + at, ORDER);
                }
            }
        }

        /// Adds tile [keys, QUERIES] times rows [QUERIES, padded] to the rows of a head: directly, if they
        /// are as wide.
        private void addProduct(long tile, int keys, long rows, long padded, long sums, long to) {
            boolean direct = padded == shape.headBytes();
            long target = direct ? to : sums;
            long stride = direct ? shape.fusedStride() : padded;
            if (!direct) {
                Rows.fill(sums, 0, (int) (keys * padded / Float.BYTES));
            }
            for (long column = 0; column < padded; column += AttentionTile.ROW) {
                TileProduct.add(
                        keys,
                        AttentionTile.QUERIES,
                        tile,
                        AttentionTile.ROW,
                        4,
                        rows + column,
                        padded,
                        target + column,
                        stride);
            }
            if (!direct) {
                for (int i = 0; i < keys; i++, to += shape.fusedStride(), sums += padded) {
                    Rows.add(to, sums, to, shape.headDim());
                }
            }
        }
    }
}
