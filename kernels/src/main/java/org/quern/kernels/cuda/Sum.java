package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Sums of all elements of a tensor, or of their squares, in a fixed order.
public final class Sum {
    private static final int TOTAL_THREADS = 1024;

    private Sum() {}

    /// out = factor * the sum of x: losses.
    ///
    /// @param x [count]
    /// @param type of x
    /// @param out fp32 [1]
    /// @param workspace [#workspaceBytes] bytes
    public static GpuKernel of(
            KernelLibrary library,
            DeviceMemory x,
            ElementType type,
            DeviceMemory out,
            DeviceMemory workspace,
            long count,
            float factor) {
        return launches(new Streaming("sum", library), "sum", x, type, out, workspace, count, factor);
    }

    /// out = the sum of x^2.
    ///
    /// @param x [count]
    /// @param type of x
    /// @param out fp32 [1]
    /// @param workspace [#workspaceBytes] bytes
    public static GpuKernel ofSquares(
            KernelLibrary library,
            DeviceMemory x,
            ElementType type,
            DeviceMemory out,
            DeviceMemory workspace,
            long count) {
        return launches(new Streaming("sum of squares", library), "sum_of_squares", x, type, out, workspace, count, 1);
    }

    private static GpuKernel launches(
            Streaming streaming,
            String entry,
            DeviceMemory x,
            ElementType type,
            DeviceMemory out,
            DeviceMemory workspace,
            long count,
            float factor) {
        streaming.tensor("x", x, type, streaming.count(count));
        streaming.buffer("out", out, Float.BYTES, 1);
        streaming.workspace(workspace, workspaceBytes(count, streaming.multiprocessors()));
        int vector = streaming.vector(widest(type), widest(type));
        int blocks = streaming.blocks(vector, count);
        Launch partials = streaming.elements(variant(type, vector), entry, vector, count, x, workspace, count);
        Launch total = new Launch(
                streaming.function(variant(ElementType.F32, 1), "total"),
                Dim.of(1),
                Dim.of(TOTAL_THREADS),
                0,
                workspace,
                out,
                blocks,
                factor);
        return stream -> {
            stream.launch(partials);
            stream.launch(total);
        };
    }

    /// The scratch that the kernel needs on a device with so many multiprocessors.
    public static long workspaceBytes(long count, int multiprocessors) {
        return (long) Streaming.blocks(1, count, multiprocessors) * Float.BYTES;
    }

    private static int widest(ElementType type) {
        return 16 / type.bytes();
    }

    private static KernelVariant variant(ElementType type, int vector) {
        return KernelVariant.of("reduction.sm_80", "type", type.text(), "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (ElementType type : ElementType.values()) {
            variants.add(variant(type, widest(type)));
            variants.add(variant(type, 1));
        }
        return variants;
    }
}
