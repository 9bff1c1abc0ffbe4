package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Brain floats to floats of 8 bits, by one factor for the whole tensor that is found from what the tensor holds now
/// (current scaling): the largest power of two by which its largest magnitude stays finite. The same numbers give
/// the same bits, whatever the device does first.
public final class Quantize {
    private static final int WIDEST = 8;
    private static final int THREADS = 256;
    private static final int TILE_ROWS = 128;
    private static final int TILE_COLUMNS = 64;

    private Quantize() {}

    /// out = x, or its transpose.
    ///
    /// @param x bf16 [rows, columns]
    /// @param transposed whether out is [columns, rows]
    /// @param workspace [#workspaceBytes] bytes
    public static GpuKernel of(
            KernelLibrary library,
            DeviceMemory x,
            int rows,
            int columns,
            boolean transposed,
            Fp8Matrix out,
            DeviceMemory workspace) {
        Streaming streaming = new Streaming("quantize", library);
        long count = (long) streaming.positive("rows", rows) * streaming.positive("columns", columns);
        int along = transposed ? rows : columns;
        if (out.stride() < along || out.stride() % Fp8Matrix.ALIGNMENT != 0) {
            throw new GpuException(
                    "quantize: the stride of out must be a multiple of %d bytes and at least %,d: got %,d"
                            .formatted(Fp8Matrix.ALIGNMENT, along, out.stride()));
        }
        streaming.tensor("x", x, ElementType.BF16, count);
        streaming.buffer("out", out.values(), Fp8Matrix.ALIGNMENT, 0);
        streaming.buffer("out", out.values(), 1, (long) (transposed ? columns : rows) * out.stride());
        streaming.buffer("scale", out.scale(), Float.BYTES, 1);
        streaming.workspace(workspace, workspaceBytes(count, streaming.multiprocessors()));
        int vector = streaming.vector(WIDEST, WIDEST);
        Launch amax = streaming.elements(amaxVariant(vector), "amax", vector, count, x, workspace, count);
        Dim blocks = new Dim(Math.ceilDiv(rows, TILE_ROWS), Math.ceilDiv(columns, TILE_COLUMNS), 1);
        Launch quantize = new Launch(
                streaming.function(variant(out.type(), transposed, streaming.vector(WIDEST, columns)), "quantize"),
                blocks,
                Dim.of(THREADS),
                0,
                x,
                workspace,
                out.values(),
                out.scale(),
                rows,
                columns,
                streaming.blocks(vector, count),
                out.stride());
        return stream -> {
            stream.launch(amax);
            stream.launch(quantize);
        };
    }

    /// The scratch that the kernel needs for so many elements on a device with so many multiprocessors.
    public static long workspaceBytes(long count, int multiprocessors) {
        return (long) Streaming.blocks(1, count, multiprocessors) * Integer.BYTES;
    }

    private static KernelVariant amaxVariant(int vector) {
        return KernelVariant.of("amax.sm_80", "vector", vector);
    }

    private static KernelVariant variant(Fp8Type type, boolean transposed, int vector) {
        return KernelVariant.of("quantize.sm_90a", "type", type.text(), "transposed", transposed, "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (int vector : new int[] {WIDEST, 1}) {
            variants.add(amaxVariant(vector));
            for (Fp8Type type : Fp8Type.values()) {
                variants.add(variant(type, false, vector));
                variants.add(variant(type, true, vector));
            }
        }
        return variants;
    }
}
