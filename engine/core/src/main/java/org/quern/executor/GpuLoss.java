package org.quern.executor;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuStream;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.kernels.cuda.CrossEntropy;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;

/// The output layer and its losses, chunk by chunk of rows, and where they are wanted its gradients, which
/// overwrite the chunk's logits on their way.
final class GpuLoss implements GpuKernel {
    private final List<GpuKernel> kernels = new ArrayList<>();

    /// Sizes: rows, rows of a chunk, the width of the hidden states, the vocabulary, and a row of logits, padded.
    private record Sizes(int rows, int rowsAtOnce, int width, int vocabulary, int stride) {
        static Sizes of(Node node) {
            return new Sizes(
                    node.input(0).shape().rows(),
                    node.output(1).shape().rows(),
                    node.input(0).shape().columns(),
                    node.input(1).shape().rows(),
                    node.output(1).shape().columns());
        }

        MatMul.Shape logits(int count) {
            return new MatMul.Shape(count, vocabulary, width, false, true);
        }

        MatMul.Shape dHidden(int count) {
            return new MatMul.Shape(count, width, vocabulary, false, false);
        }

        MatMul.Shape dWeight(int count) {
            return new MatMul.Shape(vocabulary, width, count, true, false);
        }

        /// For the log-sum-exp of a chunk.
        long lseBytes() {
            return GpuKernels.align((long) rowsAtOnce * Float.BYTES);
        }
    }

    /// @param node hidden bf16 [N, C], weight bf16 [V, C], targets, for gradients also scale, to losses, logits bf16
    ///     [rowsAtOnce, V padded], for gradients also dHidden bf16 and dWeight fp32
    GpuLoss(
            KernelLibrary library,
            MatMuls matMuls,
            GpuKernels memory,
            Node node,
            int rowsAtOnce,
            DeviceMemory scratch) {
        boolean gradients = node.op() instanceof Op.LinearCrossEntropyGradient;
        Sizes sizes = Sizes.of(node);
        DeviceMemory lse = scratch.slice(0, sizes.lseBytes());
        DeviceMemory workspace = scratch.slice(sizes.lseBytes(), scratch.bytes() - sizes.lseBytes());
        Matrix weight = new Matrix(memory.in(node, 1), sizes.width());
        Matrix logits = new Matrix(memory.out(node, 1), sizes.stride());
        for (int from = 0; from < sizes.rows(); from += rowsAtOnce) {
            int count = Math.min(rowsAtOnce, sizes.rows() - from);
            Matrix hidden = rows(memory.in(node, 0), from, count, sizes.width());
            DeviceMemory targets = memory.in(node, 2).slice((long) from * Integer.BYTES, (long) count * Integer.BYTES);
            DeviceMemory losses = memory.out(node, 0).slice((long) from * Float.BYTES, (long) count * Float.BYTES);
            kernels.add(matMuls.of(
                    library,
                    new Gemm(sizes.logits(count), hidden, weight, logits, new Epilogue.StoreBf16(null, null)),
                    workspace));
            if (!gradients) {
                kernels.add(CrossEntropy.forward(
                        library, logits.memory(), targets, losses, lse, count, sizes.vocabulary(), sizes.stride()));
                continue;
            }
            kernels.add(CrossEntropy.fused(
                    library,
                    logits.memory(),
                    targets,
                    losses,
                    lse,
                    memory.in(node, 3),
                    count,
                    sizes.vocabulary(),
                    sizes.stride()));
            Matrix dHidden = rows(memory.out(node, 2), from, count, sizes.width());
            kernels.add(matMuls.of(
                    library,
                    new Gemm(
                            sizes.dHidden(count),
                            logits,
                            weight,
                            dHidden,
                            new Epilogue.StoreBf16(null, node.accumulates(2) ? dHidden : null)),
                    workspace));
            Matrix dWeight = new Matrix(memory.out(node, 3), sizes.width());
            kernels.add(matMuls.of(
                    library,
                    new Gemm(
                            sizes.dWeight(count),
                            logits,
                            hidden,
                            dWeight,
                            new Epilogue.StoreF32(from > 0 || node.accumulates(3) ? dWeight : null)),
                    workspace));
        }
    }

    private static Matrix rows(DeviceMemory memory, int from, int count, int width) {
        long rowBytes = (long) width * Short.BYTES;
        return new Matrix(memory.slice(from * rowBytes, count * rowBytes), width);
    }

    static long scratchBytes(Node node, DeviceProperties device, MatMuls matMuls) {
        Sizes sizes = Sizes.of(node);
        long workspace = 0;
        for (int count : new int[] {sizes.rowsAtOnce(), Math.max(1, sizes.rows() % sizes.rowsAtOnce())}) {
            for (MatMul.Shape shape : List.of(sizes.logits(count), sizes.dHidden(count), sizes.dWeight(count))) {
                workspace = Math.max(workspace, matMuls.workspaceBytes(device, shape));
            }
        }
        return sizes.lseBytes() + workspace;
    }

    @Override
    public void launch(GpuStream stream) {
        kernels.forEach(kernel -> kernel.launch(stream));
    }
}
