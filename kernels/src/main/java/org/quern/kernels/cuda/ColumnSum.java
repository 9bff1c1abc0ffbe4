package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Sums over rows, in a fixed order: the gradient of a bias, and the end of the norms' gradients.
public final class ColumnSum {
    private static final int WIDEST = 8;
    /// Warps of a block that sums.
    private static final int WARPS = 8;
    /// Of a block that combines.
    private static final int COMBINED_COLUMNS = 8;
    private static final int COMBINE_THREADS = 1024;
    /// Blocks of one multiprocessor that keep it busy.
    private static final int BLOCKS = 8;

    private ColumnSum() {}

    /// out (+)= the sum of the rows of x.
    ///
    /// @param x bf16 [rows, width]
    /// @param out fp32 [width]
    /// @param accumulate whether to add to what out holds
    /// @param workspace [#workspaceBytes] bytes
    public static GpuKernel of(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory out,
            boolean accumulate,
            DeviceMemory workspace,
            int rows,
            int width) {
        Streaming streaming = new Streaming("column sum", library);
        long count = (long) streaming.positive("rows", rows) * streaming.positive("width", width);
        streaming.tensor("x", x, ElementType.BF16, count);
        streaming.buffer("out", out, Float.BYTES, width);
        int multiprocessors = streaming.multiprocessors();
        streaming.workspace(workspace, workspaceBytes(rows, width, multiprocessors));
        int vector = streaming.vector(WIDEST, width);
        int parts = parts(rows, width, multiprocessors);
        int slices = Math.ceilDiv(width, Streaming.WARP * vector);
        Launch sum = new Launch(
                streaming.function(variant(vector), "sum"),
                Dim.of(parts, slices),
                Dim.of(WARPS * Streaming.WARP),
                0,
                x,
                workspace,
                rows,
                width);
        Launch combine = combine(streaming, workspace, out, accumulate, parts, width, width);
        return stream -> {
            stream.launch(sum);
            stream.launch(combine);
        };
    }

    /// out (+)= the sum of the rows of partials, fp32.
    ///
    /// @param stride floats from one row to the next
    static Launch combine(
            Streaming streaming,
            DeviceMemory partials,
            DeviceMemory out,
            boolean accumulate,
            int rows,
            int width,
            long stride) {
        return new Launch(
                streaming.function(variant(1), accumulate ? "combine_accumulate" : "combine"),
                Dim.of(Math.ceilDiv(width, COMBINED_COLUMNS)),
                Dim.of(COMBINE_THREADS),
                0,
                partials,
                out,
                rows,
                width,
                stride);
    }

    private static int parts(int rows, int width, int multiprocessors) {
        int slices = Math.ceilDiv(width, Streaming.WARP * WIDEST);
        return Math.min(Math.ceilDiv(rows, 4 * WARPS), Math.ceilDiv(BLOCKS * multiprocessors, slices));
    }

    /// The scratch that the kernel needs on a device with so many multiprocessors.
    public static long workspaceBytes(int rows, int width, int multiprocessors) {
        return (long) parts(rows, width, multiprocessors) * width * Float.BYTES;
    }

    private static KernelVariant variant(int vector) {
        return KernelVariant.of("column_sum.sm_80", "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(variant(WIDEST), variant(1));
    }
}
