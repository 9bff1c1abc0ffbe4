package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Brain floats to floats of 8 bits, each square of [Fp8Matrix#BLOCK] rows and columns by a factor of its own: the
/// largest power of two by which what is largest in it now stays finite. A square has one factor in the matrix and
/// in its transpose, so that both are made by reading once.
public final class Quantize {
    private static final int WIDEST = 8;
    private static final int THREADS = 512;
    private static final Fp8Matrix NONE = new Fp8Matrix(null, DeviceMemory.NONE, 0, DeviceMemory.NONE);

    private Quantize() {}

    /// plain = x, and transposed = its transpose.
    ///
    /// @param x bf16 [rows, columns]
    /// @param plain [rows, columns], or null
    /// @param transposed [columns, rows] of the same type, or null if there is the other
    public static GpuKernel of(
            KernelLibrary library, DeviceMemory x, int rows, int columns, Fp8Matrix plain, Fp8Matrix transposed) {
        Streaming streaming = new Streaming("quantize", library);
        long count = (long) streaming.positive("rows", rows) * streaming.positive("columns", columns);
        streaming.tensor("x", x, ElementType.BF16, count);
        check(streaming, "plain", plain, rows, columns);
        check(streaming, "transposed", transposed, columns, rows);
        Fp8Type type = plain == null ? transposed.type() : plain.type();
        if (transposed != null && transposed.type() != type) {
            throw new GpuException("quantize: plain and transposed must have one type: got %s and %s"
                    .formatted(type.text(), transposed.type().text()));
        }
        int vector = streaming.vector(WIDEST, columns);
        Fp8Matrix first = plain == null ? NONE : plain;
        Fp8Matrix second = transposed == null ? NONE : transposed;
        Launch launch = new Launch(
                streaming.function(variant(type, plain != null, transposed != null, vector), "quantize"),
                new Dim(Math.ceilDiv(rows, Fp8Matrix.BLOCK), Math.ceilDiv(columns, Fp8Matrix.BLOCK), 1),
                Dim.of(THREADS),
                0,
                x,
                first.values(),
                first.scales(),
                second.values(),
                second.scales(),
                rows,
                columns,
                first.stride(),
                second.stride());
        return stream -> stream.launch(launch);
    }

    private static void check(Streaming streaming, String name, Fp8Matrix out, int rows, int k) {
        if (out == null) {
            return;
        }
        if (out.stride() < k || out.stride() % Fp8Matrix.ALIGNMENT != 0) {
            throw new GpuException("quantize: the stride of %s must be a multiple of %d bytes and at least %,d: got %,d"
                    .formatted(name, Fp8Matrix.ALIGNMENT, k, out.stride()));
        }
        streaming.buffer(name, out.values(), Fp8Matrix.ALIGNMENT, 0);
        streaming.buffer(name, out.values(), 1, (long) rows * out.stride());
        streaming.buffer("the scales of " + name, out.scales(), Float.BYTES, Fp8Matrix.scales(rows, k));
    }

    private static KernelVariant variant(Fp8Type type, boolean plain, boolean transposed, int vector) {
        return KernelVariant.of(
                "quantize.sm_90a", "type", type.text(), "plain", plain, "transposed", transposed, "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (int vector : new int[] {WIDEST, 1}) {
            for (Fp8Type type : Fp8Type.values()) {
                variants.add(variant(type, true, false, vector));
                variants.add(variant(type, false, true, vector));
                variants.add(variant(type, true, true, vector));
            }
        }
        return variants;
    }
}
