package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// Sums, scales and conversions of tensors, element by element.
public final class Pointwise {
    private static final KernelVariant FILL16 = KernelVariant.of("fill.sm_80", "bytes", 2);
    private static final KernelVariant FILL32 = KernelVariant.of("fill.sm_80", "bytes", 4);

    private static final int FILL_THREADS = 256;
    /// Bytes of the widest access.
    private static final int ALIGNMENT = 16;

    private Pointwise() {}

    /// Random numbers for stochastic rounding: element i takes a word of Philox 4x32-10 (Salmon et al., 2011)
    /// with the key `seed` and the counter (i / 4, step, stream), so that a step can be repeated.
    ///
    /// @param seed of the run
    /// @param tensor the number of the tensor in the run; the stream is 4 times that, and one more a use
    /// @param step int32 [1], read when run
    public record Rounding(long seed, int tensor, DeviceMemory step) {
        int stream() {
            return 4 * tensor;
        }
    }

    /// out = a x + b y, rounded once where a is 1; x + y with a = b = 1.
    ///
    /// @param x [count]
    /// @param y [count]
    /// @param out [count]; may be `x` or `y`
    /// @param type of all
    public static GpuKernel linearCombination(
            KernelLibrary library,
            float a,
            DeviceMemory x,
            float b,
            DeviceMemory y,
            DeviceMemory out,
            ElementType type,
            long count) {
        Streaming streaming = new Streaming("linear combination", library);
        streaming.tensor("x", x, type, streaming.count(count));
        streaming.tensor("y", y, type, count);
        streaming.tensor("out", out, type, count);
        return launch(streaming, "linear_combination", type, type, count, x, y, out, count, a, b);
    }

    /// out = x / (the Frobenius norm of x + eps).
    ///
    /// @param x [count]
    /// @param out [count]; may be `x`
    /// @param type of both
    /// @param workspace [#normalizeWorkspaceBytes] bytes
    public static GpuKernel normalize(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory out,
            ElementType type,
            DeviceMemory workspace,
            long count,
            double eps) {
        Streaming streaming = new Streaming("normalize", library);
        streaming.tensor("x", x, type, streaming.count(count));
        streaming.tensor("out", out, type, count);
        streaming.workspace(workspace, normalizeWorkspaceBytes(count, streaming.multiprocessors()));
        DeviceMemory squares = workspace.slice(0, Float.BYTES);
        DeviceMemory partials = workspace.slice(ALIGNMENT, workspace.bytes() - ALIGNMENT);
        GpuKernel sum = Sum.ofSquares(library, x, type, squares, partials, count);
        GpuKernel scale = launch(streaming, "normalize", type, type, count, x, out, squares, count, (float) eps);
        return stream -> {
            sum.launch(stream);
            scale.launch(stream);
        };
    }

    /// The scratch that [#normalize] needs on a device with so many multiprocessors.
    public static long normalizeWorkspaceBytes(long count, int multiprocessors) {
        return ALIGNMENT + Sum.workspaceBytes(count, multiprocessors);
    }

    /// out = x in another type, rounded to the nearest.
    ///
    /// @param x [count]
    /// @param out [count]
    public static GpuKernel cast(
            KernelLibrary library, DeviceMemory x, ElementType from, DeviceMemory out, ElementType to, long count) {
        Streaming streaming = new Streaming("cast", library);
        streaming.tensor("x", x, from, streaming.count(count));
        streaming.tensor("out", out, to, count);
        if (from == to) {
            return copy(library, x, out, from, count);
        }
        return launch(streaming, "cast", from, to, count, x, out, count);
    }

    /// out = x, rounded to bf16 stochastically: up with the probability of what is cut off.
    ///
    /// @param x fp32 [count]
    /// @param out bf16 [count]
    public static GpuKernel castStochastically(
            KernelLibrary library, DeviceMemory x, DeviceMemory out, Rounding rounding, long count) {
        Streaming streaming = new Streaming("stochastic cast", library);
        streaming.tensor("x", x, ElementType.F32, streaming.count(count));
        streaming.tensor("out", out, ElementType.BF16, count);
        streaming.buffer("step", rounding.step, Integer.BYTES, 1);
        return launch(
                streaming,
                "cast_stochastically",
                ElementType.F32,
                ElementType.BF16,
                count,
                x,
                out,
                rounding.step,
                count,
                rounding.seed,
                rounding.stream());
    }

    /// out += x.
    ///
    /// @param x [count]
    /// @param out [count]
    public static GpuKernel accumulate(
            KernelLibrary library, DeviceMemory x, ElementType from, DeviceMemory out, ElementType to, long count) {
        Streaming streaming = new Streaming("accumulate", library);
        if (from == ElementType.F32 && to == ElementType.BF16) {
            throw new GpuException("accumulate: fp32 is not added to bf16; cast it first");
        }
        streaming.tensor("x", x, from, streaming.count(count));
        streaming.tensor("out", out, to, count);
        return launch(streaming, "accumulate", from, to, count, x, out, count);
    }

    /// out = value.
    ///
    /// @param out [count]
    public static GpuKernel fill(KernelLibrary library, float value, DeviceMemory out, ElementType type, long count) {
        Streaming streaming = new Streaming("fill", library);
        streaming.buffer("out", out, ALIGNMENT, 0);
        streaming.buffer("out", out, type.bytes(), streaming.count(count));
        int bits = Float.floatToRawIntBits(value);
        if (type == ElementType.BF16 && (bits & 0xFFFF) != 0) {
            throw new GpuException("fill: %s is no bf16".formatted(value));
        }
        KernelVariant variant = type == ElementType.BF16 ? FILL16 : FILL32;
        int elements = ALIGNMENT / type.bytes();
        long blocks = Math.ceilDiv(count, (long) FILL_THREADS * elements);
        Launch launch = new Launch(
                streaming.function(variant, "fill"),
                Launch.Dim.of(streaming.positive("blocks", blocks)),
                Launch.Dim.of(FILL_THREADS),
                0,
                out,
                count,
                type == ElementType.BF16 ? bits >>> 16 : bits);
        return stream -> stream.launch(launch);
    }

    /// out = x, by the device's copy engine.
    ///
    /// @param x [count]
    /// @param out [count]
    public static GpuKernel copy(
            KernelLibrary library, DeviceMemory x, DeviceMemory out, ElementType type, long count) {
        Streaming streaming = new Streaming("copy", library);
        streaming.buffer("x", x, type.bytes(), streaming.count(count));
        streaming.buffer("out", out, type.bytes(), count);
        DeviceMemory source = x.slice(0, count * type.bytes());
        DeviceMemory target = out.slice(0, count * type.bytes());
        return stream -> stream.copy(source, target);
    }

    private static GpuKernel launch(
            Streaming streaming, String entry, ElementType from, ElementType to, long count, Object... arguments) {
        int widest = widest(from, to);
        int vector = streaming.vector(widest, widest);
        Launch launch = streaming.elements(variant(from, to, vector), entry, vector, count, arguments);
        return stream -> stream.launch(launch);
    }

    private static int widest(ElementType from, ElementType to) {
        return ALIGNMENT / Math.max(from.bytes(), to.bytes());
    }

    private static KernelVariant variant(ElementType from, ElementType to, int vector) {
        return KernelVariant.of("pointwise.sm_80", "from", from.text(), "to", to.text(), "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>(List.of(FILL16, FILL32));
        for (ElementType from : ElementType.values()) {
            for (ElementType to : ElementType.values()) {
                variants.add(variant(from, to, widest(from, to)));
                variants.add(variant(from, to, 1));
            }
        }
        return variants;
    }
}
