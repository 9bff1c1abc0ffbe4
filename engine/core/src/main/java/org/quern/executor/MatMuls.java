package org.quern.executor;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuStream;
import org.quern.graph.Graph;
import org.quern.graph.MixedPrecision;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Attention.Operands;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul.Shape;

/// Makes matrix products, and attention, which is two of them.
interface MatMuls {
    /// Makes the kernel of a product.
    ///
    /// @param workspace at least [#workspaceBytes]
    /// @throws org.quern.gpu.GpuException if they cannot be multiplied, with the rule and the value
    GpuKernel of(KernelLibrary library, Gemm gemm, DeviceMemory workspace);

    /// A graph in the types of its operations.
    default Graph lower(Graph graph) {
        return MixedPrecision.lower(graph);
    }

    /// Causal attention, as [Attention.Forward] has it.
    default GpuKernel attention(KernelLibrary library, Operands operands) {
        return new Attention.Forward(library, operands);
    }

    /// Its gradient, as [Attention.Backward] has it.
    ///
    /// @param workspace at least [#attentionWorkspaceBytes]
    default GpuKernel attentionGradient(
            KernelLibrary library, Operands operands, DeviceMemory dOut, DeviceMemory dQkv, DeviceMemory workspace) {
        return new Attention.Backward(library, operands, dOut, dQkv, workspace);
    }

    /// The scratch that [#attentionGradient] needs.
    default long attentionWorkspaceBytes(DeviceProperties device, Attention.Shape shape) {
        return Attention.Backward.workspaceBytes(shape);
    }

    long workspaceBytes(DeviceProperties device, Shape shape);

    /// Whether it has all epilogues. Otherwise it has one, which adds to C itself.
    boolean hasEpilogues();

    /// Readies a stream on which products will be captured.
    ///
    /// @throws org.quern.gpu.GpuException if what computes them is absent, with the reason and what to do
    void prepare(GpuStream stream);
}
