package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.kernels.cuda.Pointwise.Rounding;
import org.quern.ptx.KernelVariant;

/// A step of AdamW (Loshchilov and Hutter, 2019), as `torch.optim.AdamW` does it.
///
/// With g = gradient * factor: parameter *= 1 - rate * weightDecay; moment1 += (1 - beta1) * (g - moment1);
/// moment2 = beta2 * moment2 + (1 - beta2) * g^2; parameter -= rate / correction1 * moment1 / (sqrt(moment2) /
/// sqrt(correction2) + eps).
public final class AdamW {
    /// Where the parameter is kept.
    public enum Weights {
        /// fp32 alone.
        F32,
        /// fp32, and a bf16 copy rounded to the nearest, which the model uses.
        MASTER,
        /// bf16 alone, rounded stochastically.
        BF16
    }

    /// What does not change from step to step.
    public record Settings(double beta1, double beta2, double eps, double weightDecay) {}

    /// The tensors of a parameter, [count] each.
    ///
    /// @param weights where the parameter is kept
    /// @param parameter fp32, or bf16 for [Weights#BF16]; changed
    /// @param copy bf16 for [Weights#MASTER]; else null
    /// @param gradient of `gradientType`
    /// @param moment1 of `momentType`; changed
    /// @param moment2 of `momentType`; changed
    public record Tensors(
            Weights weights,
            DeviceMemory parameter,
            DeviceMemory copy,
            ElementType gradientType,
            DeviceMemory gradient,
            ElementType momentType,
            DeviceMemory moment1,
            DeviceMemory moment2) {}

    private static final int WIDEST = 4;

    private AdamW() {}

    /// @param clip fp32 [2], read when run: norm, factor, see [ClipFactor]
    /// @param scalars fp32 [3], read when run: learning rate, correction1 = 1 - beta1^step, correction2 = 1 -
    ///     beta2^step
    /// @param rounding of what is kept as bf16 alone; null if nothing is
    public static GpuKernel of(
            KernelLibrary library,
            Tensors tensors,
            DeviceMemory clip,
            DeviceMemory scalars,
            Settings settings,
            Rounding rounding,
            long count) {
        Streaming streaming = new Streaming("adamw", library);
        boolean master = tensors.weights == Weights.MASTER;
        boolean bf16 = tensors.weights == Weights.BF16;
        streaming.tensor(
                "parameter", tensors.parameter, bf16 ? ElementType.BF16 : ElementType.F32, streaming.count(count));
        if (master) {
            streaming.tensor("copy", tensors.copy, ElementType.BF16, count);
        }
        streaming.tensor("gradient", tensors.gradient, tensors.gradientType, count);
        streaming.tensor("moment1", tensors.moment1, tensors.momentType, count);
        streaming.tensor("moment2", tensors.moment2, tensors.momentType, count);
        streaming.buffer("clip", clip, Float.BYTES, 2);
        streaming.buffer("scalars", scalars, Float.BYTES, 3);
        boolean rounded = bf16 || tensors.momentType == ElementType.BF16;
        if (rounded && rounding == null) {
            throw new GpuException("adamw: bf16 weights or moments need a seed to be rounded by: got none");
        }
        int vector = streaming.vector(WIDEST, WIDEST);
        List<Object> arguments = new ArrayList<>();
        arguments.add(tensors.parameter);
        if (master) {
            arguments.add(tensors.copy);
        }
        arguments.addAll(List.of(tensors.gradient, tensors.moment1, tensors.moment2, clip, scalars, count));
        arguments.add((float) (1 - settings.beta1));
        arguments.add((float) settings.beta2);
        arguments.add((float) (1 - settings.beta2));
        arguments.add((float) settings.eps);
        arguments.add((float) settings.weightDecay);
        if (rounded) {
            streaming.buffer("step", rounding.step(), Integer.BYTES, 1);
            arguments.addAll(List.of(rounding.step(), rounding.seed(), rounding.stream()));
        }
        KernelVariant variant = variant(tensors.weights, tensors.gradientType, tensors.momentType, vector);
        Launch launch = streaming.elements(variant, "update", vector, count, arguments.toArray());
        return stream -> stream.launch(launch);
    }

    private static KernelVariant variant(Weights weights, ElementType gradient, ElementType moments, int vector) {
        return KernelVariant.of(
                "adamw.sm_80",
                "weights",
                weights.name().toLowerCase(Locale.ROOT),
                "gradient",
                gradient.text(),
                "moments",
                moments.text(),
                "vector",
                vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (Weights weights : Weights.values()) {
            for (ElementType gradient : ElementType.values()) {
                for (ElementType moments : ElementType.values()) {
                    variants.add(variant(weights, gradient, moments, WIDEST));
                    variants.add(variant(weights, gradient, moments, 1));
                }
            }
        }
        return variants;
    }
}
