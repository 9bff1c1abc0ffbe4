package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// Activations, element by element, and their gradients; bf16.
public final class Activation {
    /// What is applied.
    public enum Function {
        /// GELU in its tanh form (Hendrycks and Gimpel, 2016; `gelu_new`).
        GELU,
        /// max(x, 0)^2 (So et al., 2021).
        RELU_SQUARED
    }

    private static final int WIDEST = 8;

    private Activation() {}

    /// y = function(x).
    ///
    /// @param x bf16 [count]
    /// @param y bf16 [count]; may be `x`
    public static GpuKernel forward(
            KernelLibrary library, Function function, DeviceMemory x, DeviceMemory y, long count) {
        Streaming streaming = new Streaming(function.name().toLowerCase(Locale.ROOT), library);
        streaming.tensor("x", x, ElementType.BF16, streaming.count(count));
        streaming.tensor("y", y, ElementType.BF16, count);
        int vector = streaming.vector(WIDEST, WIDEST);
        Launch launch = streaming.elements(variant(function, vector), "forward", vector, count, x, y, count);
        return stream -> stream.launch(launch);
    }

    /// dx (+)= dy function'(x).
    ///
    /// @param x bf16 [count]
    /// @param dy bf16 [count]
    /// @param dx bf16 [count]; may be `dy` or `x` unless it accumulates
    /// @param accumulate whether to add to what dx holds
    public static GpuKernel backward(
            KernelLibrary library,
            Function function,
            DeviceMemory x,
            DeviceMemory dy,
            DeviceMemory dx,
            boolean accumulate,
            long count) {
        Streaming streaming = new Streaming(function.name().toLowerCase(Locale.ROOT) + " gradient", library);
        streaming.tensor("x", x, ElementType.BF16, streaming.count(count));
        streaming.tensor("dy", dy, ElementType.BF16, count);
        streaming.tensor("dx", dx, ElementType.BF16, count);
        int vector = streaming.vector(WIDEST, WIDEST);
        String entry = accumulate ? "backward_accumulate" : "backward";
        Launch launch = streaming.elements(variant(function, vector), entry, vector, count, x, dy, dx, count);
        return stream -> stream.launch(launch);
    }

    private static KernelVariant variant(Function function, int vector) {
        return KernelVariant.of(
                "activation.sm_80", "function", function.name().toLowerCase(Locale.ROOT), "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (Function function : Function.values()) {
            for (int vector : List.of(WIDEST, 1)) {
                variants.add(variant(function, vector));
            }
        }
        return variants;
    }
}
