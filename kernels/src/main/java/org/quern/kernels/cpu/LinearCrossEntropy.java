package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Cross-entropy of the logits `hidden weight^T` against target ids, a chunk of rows after the other, so that no
/// more logits than those of a chunk exist at a time. Rows with a negative target are ignored.
public final class LinearCrossEntropy {
    private static final long ALIGNMENT = 64;

    private LinearCrossEntropy() {}

    /// The sizes.
    ///
    /// @param rows of hidden, targets and losses
    /// @param chunk rows whose logits exist at the same time
    /// @param width columns of hidden and weight
    /// @param vocabulary rows of weight
    public record Shape(int rows, int chunk, int width, int vocabulary) {
        public Shape {
            if (chunk < 1 || chunk > rows) {
                throw new IllegalArgumentException(
                        "a chunk must have at least 1 and at most %d rows: got %d".formatted(rows, chunk));
            }
        }

        /// Bytes of the log-sum-exp of a chunk, which lie at the beginning of the workspace.
        private long logSumExpBytes() {
            return Math.ceilDiv((long) chunk * Float.BYTES, ALIGNMENT) * ALIGNMENT;
        }

        /// Rows of the last chunk.
        private int rest() {
            return (rows - 1) % chunk + 1;
        }
    }

    /// The losses alone.
    public static final class Forward extends Sequence {
        /// @param hidden [rows, width]
        /// @param weight [vocabulary, width]
        /// @param targets int32 [rows]; running fails on one of `vocabulary` or more
        /// @param losses [rows], in nats; 0 for an ignored row
        /// @param logits [chunk, vocabulary], overwritten
        /// @param workspace [#workspaceBytes] bytes
        public Forward(
                MemorySegment hidden,
                MemorySegment weight,
                MemorySegment targets,
                MemorySegment losses,
                MemorySegment logits,
                MemorySegment workspace,
                Shape shape) {
            super(kernels(new Chunks(hidden, weight, targets, losses, logits, workspace, shape)));
        }

        private static List<Kernel> kernels(Chunks chunks) {
            List<Kernel> kernels = new ArrayList<>();
            for (int row = 0; row < chunks.shape.rows; row += chunks.shape.chunk) {
                chunks.addLosses(kernels, row);
            }
            return kernels;
        }

        /// The scratch that the kernel needs.
        public static long workspaceBytes(Shape shape) {
            return shape.logSumExpBytes()
                    + Math.max(
                            MatMul.workspaceBytes(shape.chunk, shape.vocabulary, shape.width),
                            MatMul.workspaceBytes(shape.rest(), shape.vocabulary, shape.width));
        }
    }

    /// The losses, and the gradients by hidden and weight of their sum times a scale, from the same logits: they
    /// are computed once, and their gradient takes their place.
    public static final class Gradient extends Sequence {
        /// @param hidden [rows, width]
        /// @param weight [vocabulary, width]
        /// @param targets int32 [rows]; running fails on one of `vocabulary` or more
        /// @param scale [1], read when run: the gradient of each row's loss
        /// @param losses [rows], in nats; 0 for an ignored row
        /// @param dHidden [rows, width]
        /// @param dWeight [vocabulary, width]
        /// @param logits [chunk, vocabulary], overwritten
        /// @param workspace [#workspaceBytes] bytes
        public Gradient(
                MemorySegment hidden,
                MemorySegment weight,
                MemorySegment targets,
                MemorySegment scale,
                MemorySegment losses,
                MemorySegment dHidden,
                boolean accumulateHidden,
                MemorySegment dWeight,
                boolean accumulateWeight,
                MemorySegment logits,
                MemorySegment workspace,
                Shape shape) {
            super(kernels(
                    new Chunks(hidden, weight, targets, losses, logits, workspace, shape),
                    scale,
                    dHidden,
                    accumulateHidden,
                    dWeight,
                    accumulateWeight));
        }

        private static List<Kernel> kernels(
                Chunks chunks,
                MemorySegment scale,
                MemorySegment dHidden,
                boolean accumulateHidden,
                MemorySegment dWeight,
                boolean accumulateWeight) {
            Shape shape = chunks.shape;
            List<Kernel> kernels = new ArrayList<>();
            for (int row = 0; row < shape.rows; row += shape.chunk) {
                chunks.addLosses(kernels, row);
                int count = chunks.count(row);
                kernels.add(new CrossEntropy.Backward(
                        chunks.logits,
                        chunks.targets(row),
                        chunks.logSumExp,
                        scale,
                        chunks.logits,
                        false,
                        count,
                        shape.vocabulary));
                kernels.add(new MatMul(
                        chunks.logits,
                        chunks.weight,
                        chunks.rows(dHidden, row),
                        count,
                        shape.width,
                        shape.vocabulary,
                        false,
                        false,
                        accumulateHidden,
                        chunks.products));
                kernels.add(new MatMul(
                        chunks.logits,
                        chunks.rows(chunks.hidden, row),
                        dWeight,
                        shape.vocabulary,
                        shape.width,
                        count,
                        true,
                        false,
                        accumulateWeight || row > 0,
                        chunks.products));
            }
            return kernels;
        }

        /// The scratch that the kernel needs.
        public static long workspaceBytes(Shape shape) {
            long bytes = Forward.workspaceBytes(shape);
            for (int count : new int[] {shape.chunk, shape.rest()}) {
                long products = Math.max(
                        MatMul.workspaceBytes(count, shape.width, shape.vocabulary),
                        MatMul.workspaceBytes(shape.vocabulary, shape.width, count));
                bytes = Math.max(bytes, shape.logSumExpBytes() + products);
            }
            return bytes;
        }
    }

    /// What both have in common: the buffers, and the losses of a chunk.
    private static final class Chunks {
        final MemorySegment hidden;
        final MemorySegment weight;
        final MemorySegment targets;
        final MemorySegment losses;
        final MemorySegment logits;
        final MemorySegment logSumExp;
        final MemorySegment products;
        final Shape shape;

        Chunks(
                MemorySegment hidden,
                MemorySegment weight,
                MemorySegment targets,
                MemorySegment losses,
                MemorySegment logits,
                MemorySegment workspace,
                Shape shape) {
            this.hidden = Buffers.floats(hidden, (long) shape.rows * shape.width);
            this.weight = weight;
            this.targets = Buffers.ints(targets, shape.rows);
            this.losses = Buffers.floats(losses, shape.rows);
            this.logits = Buffers.floats(logits, (long) shape.chunk * shape.vocabulary);
            this.shape = shape;
            Buffers.bytes(workspace, Forward.workspaceBytes(shape));
            logSumExp = workspace.asSlice(0, shape.logSumExpBytes());
            products = workspace.asSlice(shape.logSumExpBytes());
        }

        /// Rows of the chunk that begins with `row`.
        int count(int row) {
            return Math.min(shape.chunk, shape.rows - row);
        }

        MemorySegment targets(int row) {
            return targets.asSlice((long) row * Integer.BYTES);
        }

        /// The rows of a tensor [rows, width] from one on.
        MemorySegment rows(MemorySegment tensor, int row) {
            return tensor.asSlice((long) row * shape.width * Float.BYTES);
        }

        void addLosses(List<Kernel> kernels, int row) {
            int count = count(row);
            kernels.add(new MatMul(
                    rows(hidden, row),
                    weight,
                    logits,
                    count,
                    shape.vocabulary,
                    shape.width,
                    false,
                    true,
                    false,
                    products));
            kernels.add(new CrossEntropy.Forward(
                    logits,
                    targets(row),
                    losses.asSlice((long) row * Float.BYTES),
                    logSumExp,
                    count,
                    shape.vocabulary));
        }
    }
}
