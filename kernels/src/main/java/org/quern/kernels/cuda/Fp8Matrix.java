package org.quern.kernels.cuda;

import org.quern.gpu.DeviceMemory;

/// An operand of [Fp8MatMul] in memory: rows along k, each a row of A or a column of B.
///
/// @param values row behind row
/// @param stride bytes from one row to the next, a multiple of [#ALIGNMENT]
/// @param scale fp32 [1]: the numbers meant are this times the values
public record Fp8Matrix(Fp8Type type, DeviceMemory values, int stride, DeviceMemory scale) {
    /// Of rows, in bytes.
    public static final int ALIGNMENT = 16;

    /// The least stride of rows of k elements.
    public static int stride(int k) {
        return Math.toIntExact(Math.ceilDiv((long) k, ALIGNMENT) * ALIGNMENT);
    }

    /// A matrix of `rows` rows of k elements, and its scale, in memory of [#bytes] bytes.
    public static Fp8Matrix in(DeviceMemory memory, Fp8Type type, int rows, int k) {
        int stride = stride(k);
        long bytes = (long) rows * stride;
        return new Fp8Matrix(type, memory.slice(0, bytes), stride, memory.slice(bytes, Float.BYTES));
    }

    /// What [#in] takes, a multiple of [#ALIGNMENT].
    public static long bytes(int rows, int k) {
        return (long) rows * stride(k) + ALIGNMENT;
    }
}
