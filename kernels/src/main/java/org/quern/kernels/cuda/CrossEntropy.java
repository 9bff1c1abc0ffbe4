package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Softmax and cross-entropy of rows of bf16 logits against target ids. Rows with a negative target are ignored:
/// their losses and gradients are 0. A row may be longer than the vocabulary; what is behind it is padding.
public final class CrossEntropy {
    private static final KernelVariant VARIANT = KernelVariant.of("cross_entropy.sm_80");
    private static final int VECTOR = 8;
    private static final int MAX_THREADS = 1024;
    /// Of rows of which the first-level cache holds two: a multiprocessor has two, and reads one from memory
    /// while it computes the other.
    private static final int SHORT_ROW_THREADS = 512;
    private static final int SHORT_ROW_BYTES = 112 * 1024;

    private CrossEntropy() {}

    /// lse = log(sum(exp(logits))), losses = lse - logits[target], in nats; both 0 for an ignored row.
    ///
    /// @param logits bf16 [rows, stride]
    /// @param targets int32 [rows], below `vocabulary`
    /// @param losses fp32 [rows]
    /// @param lse fp32 [rows]
    /// @param vocabulary the columns that count
    /// @param stride elements from one row to the next
    public static GpuKernel forward(
            KernelLibrary library,
            DeviceMemory logits,
            DeviceMemory targets,
            DeviceMemory losses,
            DeviceMemory lse,
            int rows,
            int vocabulary,
            int stride) {
        Streaming streaming = check("cross-entropy", library, logits, targets, rows, vocabulary, stride);
        streaming.buffer("losses", losses, Float.BYTES, rows);
        streaming.buffer("lse", lse, Float.BYTES, rows);
        return launch(streaming, "forward", rows, vocabulary, logits, targets, losses, lse, vocabulary, stride);
    }

    /// That, and logits = their gradient, (exp(logits - lse) - onehot(target)) * scale, 0 in the padding.
    ///
    /// @param scale fp32 [1], read when run: the gradient of each row's loss
    public static GpuKernel fused(
            KernelLibrary library,
            DeviceMemory logits,
            DeviceMemory targets,
            DeviceMemory losses,
            DeviceMemory lse,
            DeviceMemory scale,
            int rows,
            int vocabulary,
            int stride) {
        Streaming streaming = check("fused cross-entropy", library, logits, targets, rows, vocabulary, stride);
        streaming.buffer("losses", losses, Float.BYTES, rows);
        streaming.buffer("lse", lse, Float.BYTES, rows);
        streaming.buffer("scale", scale, Float.BYTES, 1);
        return launch(streaming, "fused", rows, vocabulary, logits, targets, losses, lse, scale, vocabulary, stride);
    }

    /// dLogits (+)= (exp(logits - lse) - onehot(target)) * scale; nothing for an ignored row.
    ///
    /// @param logits bf16 [rows, stride]
    /// @param targets int32 [rows], below `vocabulary`
    /// @param lse fp32 [rows], from the forward pass
    /// @param scale fp32 [1], read when run: the gradient of each row's loss
    /// @param dLogits bf16 [rows, stride], 0 in the padding; may be `logits` unless it accumulates
    /// @param accumulate whether to add to what dLogits holds
    public static GpuKernel backward(
            KernelLibrary library,
            DeviceMemory logits,
            DeviceMemory targets,
            DeviceMemory lse,
            DeviceMemory scale,
            DeviceMemory dLogits,
            boolean accumulate,
            int rows,
            int vocabulary,
            int stride) {
        Streaming streaming = check("cross-entropy gradient", library, logits, targets, rows, vocabulary, stride);
        streaming.buffer("lse", lse, Float.BYTES, rows);
        streaming.buffer("scale", scale, Float.BYTES, 1);
        streaming.buffer("dLogits", dLogits, Short.BYTES, (long) rows * stride);
        if (logits.address() % 16 != dLogits.address() % 16) {
            throw new GpuException(
                    "cross-entropy gradient: logits and dLogits must be alike modulo 16 bytes: got %#x and %#x"
                            .formatted(logits.address(), dLogits.address()));
        }
        String entry = accumulate ? "backward_accumulate" : "backward";
        return launch(streaming, entry, rows, vocabulary, logits, targets, lse, scale, dLogits, vocabulary, stride);
    }

    private static Streaming check(
            String kernel,
            KernelLibrary library,
            DeviceMemory logits,
            DeviceMemory targets,
            int rows,
            int vocabulary,
            int stride) {
        Streaming streaming = new Streaming(kernel, library);
        streaming.positive("rows", rows);
        streaming.positive("vocabulary", vocabulary);
        if (stride < vocabulary) {
            throw new GpuException(
                    "%s: a row of %,d elements cannot hold a vocabulary of %,d".formatted(kernel, stride, vocabulary));
        }
        streaming.buffer("logits", logits, Short.BYTES, (long) rows * stride);
        streaming.buffer("targets", targets, Integer.BYTES, rows);
        return streaming;
    }

    private static GpuKernel launch(Streaming streaming, String entry, int rows, int vocabulary, Object... arguments) {
        int warps = Math.ceilDiv(Math.ceilDiv(vocabulary, VECTOR), Streaming.WARP);
        int most = vocabulary * Short.BYTES <= SHORT_ROW_BYTES ? SHORT_ROW_THREADS : MAX_THREADS;
        int threads = Math.min(most, warps * Streaming.WARP);
        Launch launch = new Launch(streaming.function(VARIANT, entry), Dim.of(rows), Dim.of(threads), 0, arguments);
        return stream -> stream.launch(launch);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(VARIANT);
    }
}
