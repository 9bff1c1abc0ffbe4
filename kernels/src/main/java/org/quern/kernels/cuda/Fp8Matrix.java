package org.quern.kernels.cuda;

import org.quern.gpu.DeviceMemory;

/// An operand of [Fp8MatMul] in memory: rows along k, each a row of A or a column of B. Each square of [#BLOCK] rows
/// and as many of k has a scale: the numbers meant are this times the values.
///
/// @param values row behind row
/// @param stride bytes from one row to the next, a multiple of [#ALIGNMENT]
/// @param scales fp32 [rows / BLOCK, k / BLOCK], rounded up
public record Fp8Matrix(Fp8Type type, DeviceMemory values, int stride, DeviceMemory scales) {
    /// Of rows, in bytes.
    public static final int ALIGNMENT = 16;

    /// Rows, and columns, that have a scale together.
    public static final int BLOCK = 128;

    /// The least stride of rows of k elements.
    public static int stride(int k) {
        return Math.toIntExact(align(k));
    }

    /// How many scales a matrix has.
    public static long scales(int rows, int k) {
        return (long) Math.ceilDiv(rows, BLOCK) * Math.ceilDiv(k, BLOCK);
    }

    /// A matrix of `rows` rows of k elements, and behind it its scales, in memory of [#bytes] bytes.
    public static Fp8Matrix in(DeviceMemory memory, Fp8Type type, int rows, int k) {
        int stride = stride(k);
        long bytes = (long) rows * stride;
        return new Fp8Matrix(type, memory.slice(0, bytes), stride, memory.slice(bytes, scales(rows, k) * Float.BYTES));
    }

    /// What [#in] takes, a multiple of [#ALIGNMENT].
    public static long bytes(int rows, int k) {
        return (long) rows * stride(k) + align(scales(rows, k) * Float.BYTES);
    }

    private static long align(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }
}
