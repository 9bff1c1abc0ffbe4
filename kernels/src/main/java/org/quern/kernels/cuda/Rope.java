package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// Rotary positions (Su et al., 2021) on fused queries, keys and values, and their gradient; bf16.
///
/// Rotates columns i and i + headDim / 2 of each query and key head by position times the frequency of pair i.
/// Values are copied, or left alone in place. The gradient is the rotation backwards. The tables are those of the
/// CPU's kernel: `org.quern.kernels.cpu.Rope.fillTables`.
public final class Rope {
    private static final int WIDEST = 4;

    private Rope() {}

    /// out (+)= x, rotated.
    ///
    /// @param x bf16 [rows, (heads + 2 keyValueHeads) * headDim]: query heads, key heads, value heads
    /// @param positions int32 [rows], below `tablePositions`
    /// @param cos fp32 [tablePositions, headDim / 2]
    /// @param sin as `cos`
    /// @param backwards whether to rotate by minus the angle
    /// @param out as `x`; may be `x` unless it accumulates
    /// @param accumulate whether to add to what out holds
    public static GpuKernel of(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory positions,
            DeviceMemory cos,
            DeviceMemory sin,
            boolean backwards,
            DeviceMemory out,
            boolean accumulate,
            int rows,
            int heads,
            int keyValueHeads,
            int headDim,
            int tablePositions) {
        Streaming streaming = new Streaming("rope", library);
        streaming.positive("heads", heads);
        streaming.positive("keyValueHeads", keyValueHeads);
        if (streaming.positive("headDim", headDim) % 2 != 0) {
            throw new GpuException("rope: headDim must be even: got " + headDim);
        }
        int all = streaming.positive("heads + 2 keyValueHeads", heads + 2L * keyValueHeads);
        int columns = streaming.positive("columns", (long) all * headDim);
        long count = (long) streaming.positive("rows", rows) * columns;
        long table = (long) streaming.positive("tablePositions", tablePositions) * (headDim / 2);
        streaming.tensor("x", x, ElementType.BF16, count);
        streaming.buffer("positions", positions, Integer.BYTES, rows);
        streaming.tensor("cos", cos, ElementType.F32, table);
        streaming.tensor("sin", sin, ElementType.F32, table);
        streaming.tensor("out", out, ElementType.BF16, count);
        int rotated = heads + keyValueHeads;
        boolean inPlace = x.address() == out.address() && !accumulate;
        int moved = inPlace ? rotated : all;
        int vector = streaming.vector(WIDEST, headDim / 2);
        String entry = (backwards ? "backward" : "forward") + (accumulate ? "_accumulate" : "");
        Launch launch = streaming.rows(
                variant(vector),
                entry,
                vector,
                rows,
                moved * (headDim / 2),
                x,
                positions,
                cos,
                sin,
                out,
                rows,
                columns,
                moved,
                rotated,
                headDim,
                tablePositions);
        return stream -> stream.launch(launch);
    }

    private static KernelVariant variant(int vector) {
        return KernelVariant.of("rope.sm_80", "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(variant(WIDEST), variant(1));
    }
}
