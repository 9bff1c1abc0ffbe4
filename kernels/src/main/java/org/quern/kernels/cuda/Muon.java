package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// The parts of Muon (Jordan et al., 2024) beside its matrix products, as `torch.optim.Muon` does them.
public final class Muon {
    private static final int WIDEST = 4;

    private Muon() {}

    /// Momentum with Nesterov's look-ahead. With g = gradient * factor: buffer += (1 - momentum) * (g - buffer);
    /// update = g + momentum * (buffer - g).
    ///
    /// @param gradient fp32 [count]
    /// @param buffer fp32 [count]; changed
    /// @param clip fp32 [2], read when run: norm, factor, see [ClipFactor]
    /// @param update [count]; may be `gradient` if it is fp32
    public static GpuKernel momentum(
            KernelLibrary library,
            DeviceMemory gradient,
            DeviceMemory buffer,
            DeviceMemory clip,
            DeviceMemory update,
            ElementType updateType,
            long count,
            double momentum) {
        Streaming streaming = new Streaming("nesterov momentum", library);
        streaming.tensor("gradient", gradient, ElementType.F32, streaming.count(count));
        streaming.tensor("buffer", buffer, ElementType.F32, count);
        streaming.tensor("update", update, updateType, count);
        streaming.buffer("clip", clip, Float.BYTES, 2);
        return launch(
                streaming,
                "momentum",
                updateType,
                count,
                List.of(gradient, buffer, clip, update, count, (float) momentum, (float) (1 - momentum)));
    }

    /// A step with decoupled weight decay: parameter = (1 - rate * weightDecay) * parameter - rate * scale *
    /// update.
    ///
    /// @param parameter fp32 [count]; changed
    /// @param copy bf16 [count], rounded to the nearest; null if there is none
    /// @param update [count]
    /// @param scalars fp32 [1] or more, read when run: learning rate first
    public static GpuKernel apply(
            KernelLibrary library,
            DeviceMemory parameter,
            DeviceMemory copy,
            DeviceMemory update,
            ElementType updateType,
            DeviceMemory scalars,
            long count,
            double scale,
            double weightDecay) {
        Streaming streaming = new Streaming("apply update", library);
        streaming.tensor("parameter", parameter, ElementType.F32, streaming.count(count));
        streaming.tensor("update", update, updateType, count);
        streaming.buffer("scalars", scalars, Float.BYTES, 1);
        List<Object> arguments = new ArrayList<>(List.of(parameter, update, scalars));
        if (copy != null) {
            arguments.add(streaming.tensor("copy", copy, ElementType.BF16, count));
        }
        arguments.addAll(List.of(count, (float) scale, (float) weightDecay));
        return launch(streaming, copy == null ? "apply" : "apply_copy", updateType, count, arguments);
    }

    private static GpuKernel launch(
            Streaming streaming, String entry, ElementType update, long count, List<Object> arguments) {
        int vector = streaming.vector(WIDEST, WIDEST);
        Launch launch = streaming.elements(variant(update, vector), entry, vector, count, arguments.toArray());
        return stream -> stream.launch(launch);
    }

    private static KernelVariant variant(ElementType update, int vector) {
        return KernelVariant.of("muon.sm_80", "update", update.text(), "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (ElementType update : ElementType.values()) {
            variants.add(variant(update, WIDEST));
            variants.add(variant(update, 1));
        }
        return variants;
    }
}
