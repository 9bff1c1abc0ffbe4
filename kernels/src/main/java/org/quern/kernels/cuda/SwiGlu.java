package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// Gated activation (Shazeer, 2020) on fused gate and up projections; bf16.
public final class SwiGlu {
    private static final int WIDEST = 8;

    private SwiGlu() {}

    /// out = gate * sigmoid(gate) * up.
    ///
    /// @param gateUp bf16 [rows, 2 width]: the gates of a row, then its ups
    /// @param out bf16 [rows, width]
    public static GpuKernel forward(KernelLibrary library, DeviceMemory gateUp, DeviceMemory out, int rows, int width) {
        Streaming streaming = new Streaming("swiglu", library);
        long count = (long) streaming.positive("rows", rows) * streaming.positive("width", width);
        streaming.tensor("gateUp", gateUp, ElementType.BF16, 2 * count);
        streaming.tensor("out", out, ElementType.BF16, count);
        int vector = streaming.vector(WIDEST, width);
        Launch launch = streaming.rows(variant(vector), "forward", vector, rows, width, gateUp, out, rows, width);
        return stream -> stream.launch(launch);
    }

    /// With s = sigmoid(gate): dUp (+)= dOut * gate * s, dGate (+)= dOut * up * s * (1 + gate * (1 - s)).
    ///
    /// @param gateUp bf16 [rows, 2 width]
    /// @param dOut bf16 [rows, width]
    /// @param dGateUp bf16 [rows, 2 width]; may be `gateUp` unless it accumulates
    /// @param accumulate whether to add to what dGateUp holds
    public static GpuKernel backward(
            KernelLibrary library,
            DeviceMemory gateUp,
            DeviceMemory dOut,
            DeviceMemory dGateUp,
            boolean accumulate,
            int rows,
            int width) {
        Streaming streaming = new Streaming("swiglu gradient", library);
        long count = (long) streaming.positive("rows", rows) * streaming.positive("width", width);
        streaming.tensor("gateUp", gateUp, ElementType.BF16, 2 * count);
        streaming.tensor("dOut", dOut, ElementType.BF16, count);
        streaming.tensor("dGateUp", dGateUp, ElementType.BF16, 2 * count);
        int vector = streaming.vector(WIDEST, width);
        String entry = accumulate ? "backward_accumulate" : "backward";
        Launch launch = streaming.rows(variant(vector), entry, vector, rows, width, gateUp, dOut, dGateUp, rows, width);
        return stream -> stream.launch(launch);
    }

    private static KernelVariant variant(int vector) {
        return KernelVariant.of("swiglu.sm_80", "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(variant(WIDEST), variant(1));
    }
}
