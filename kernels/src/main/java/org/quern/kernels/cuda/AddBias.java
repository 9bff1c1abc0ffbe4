package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// out = x + bias, for each row; bf16.
public final class AddBias {
    private static final int WIDEST = 8;

    private AddBias() {}

    /// @param x bf16 [rows, width]
    /// @param bias bf16 [width]
    /// @param out bf16 [rows, width]; may be `x`
    public static GpuKernel of(
            KernelLibrary library, DeviceMemory x, DeviceMemory bias, DeviceMemory out, int rows, int width) {
        Streaming streaming = new Streaming("add bias", library);
        long count = (long) streaming.positive("rows", rows) * streaming.positive("width", width);
        streaming.tensor("x", x, ElementType.BF16, count);
        streaming.tensor("bias", bias, ElementType.BF16, width);
        streaming.tensor("out", out, ElementType.BF16, count);
        int vector = streaming.vector(WIDEST, width);
        Launch launch = streaming.rows(variant(vector), "forward", vector, rows, width, x, bias, out, rows, width);
        return stream -> stream.launch(launch);
    }

    private static KernelVariant variant(int vector) {
        return KernelVariant.of("bias.sm_80", "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(variant(WIDEST), variant(1));
    }
}
