package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// The next token of each row of bf16 logits, written to the device, so that a loop of generation can be captured.
/// A row whose highest logit is no finite number gives -1.
public final class Sampling {
    private static final int WIDEST = 8;
    private static final int THREADS = 1024;
    /// What the likeliest token weighs.
    private static final double WEIGHT = 0x1p40;
    private static final double LOG2_E = 1.4426950408889634;

    private Sampling() {}

    /// How tokens are drawn, in transformers' order.
    ///
    /// @param temperature divides the logits; above 0
    /// @param topK draws from that many of the likeliest tokens, and those as likely as the last of them; 0: all
    /// @param topP draws from the fewest likeliest tokens that together have this probability; 1: all
    /// @param minP draws from tokens that have at least this share of the likeliest token's probability; 0: all
    /// @param seed makes the draws
    public record Settings(double temperature, int topK, double topP, double minP, long seed) {
        public Settings {
            require(temperature > 0 && Double.isFinite(temperature), "temperature must be above 0", temperature);
            require(topK >= 0, "topK must be at least 0", topK);
            require(topP > 0 && topP <= 1, "topP must be above 0 and at most 1", topP);
            require(minP >= 0 && minP <= 1, "minP must be from 0 to 1", minP);
        }

        private static void require(boolean holds, String rule, Number value) {
            if (!holds) {
                throw new GpuException("sampling: %s: got %s".formatted(rule, value));
            }
        }
    }

    /// tokens[r] = the first of the highest logits of row r.
    ///
    /// @param logits bf16 [rows, stride]
    /// @param tokens int32 [rows]
    /// @param vocabulary the columns that count
    /// @param stride elements from one row to the next
    public static GpuKernel likeliest(
            KernelLibrary library, DeviceMemory logits, DeviceMemory tokens, int rows, int vocabulary, int stride) {
        Streaming streaming = check("argmax", library, logits, tokens, rows, vocabulary, stride);
        return launch(streaming, "argmax", rows, stride, logits, tokens, vocabulary, stride);
    }

    /// tokens[r] = a token drawn by the logits of row r: a pure function of them, the seed, the position and the
    /// sequence `firstSequence + r`. Tokens that are less likely than the likeliest by more than 2^40 do not
    /// occur.
    ///
    /// @param logits bf16 [rows, stride]
    /// @param position int32 [1], read when run: the number of tokens before
    /// @param tokens int32 [rows]
    /// @param vocabulary the columns that count
    /// @param stride elements from one row to the next
    public static GpuKernel sample(
            KernelLibrary library,
            Settings settings,
            DeviceMemory logits,
            DeviceMemory position,
            int firstSequence,
            DeviceMemory tokens,
            int rows,
            int vocabulary,
            int stride) {
        Streaming streaming = check("sampling", library, logits, tokens, rows, vocabulary, stride);
        streaming.buffer("position", position, Integer.BYTES, 1);
        return launch(
                streaming,
                "sample",
                rows,
                stride,
                logits,
                tokens,
                vocabulary,
                stride,
                position,
                (float) (LOG2_E / settings.temperature),
                settings.topK,
                settings.topP == 1 ? 0 : share(settings.topP),
                (long) Math.ceil(settings.minP * WEIGHT),
                settings.seed,
                firstSequence);
    }

    /// A part of 2^64, unsigned and not 0.
    private static long share(double part) {
        return (long) (part * 0x1p63) << 1 | 1;
    }

    private static Streaming check(
            String kernel,
            KernelLibrary library,
            DeviceMemory logits,
            DeviceMemory tokens,
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
        streaming.tensor("logits", logits, ElementType.BF16, (long) (rows - 1) * stride + vocabulary);
        streaming.buffer("tokens", tokens, Integer.BYTES, rows);
        return streaming;
    }

    private static GpuKernel launch(Streaming streaming, String entry, int rows, int stride, Object... arguments) {
        int vector = streaming.vector(WIDEST, rows == 1 ? WIDEST : stride);
        Launch launch =
                new Launch(streaming.function(variant(vector), entry), Dim.of(rows), Dim.of(THREADS), 0, arguments);
        return stream -> stream.launch(launch);
    }

    private static KernelVariant variant(int vector) {
        return KernelVariant.of("sampling.sm_80", "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(variant(WIDEST), variant(1));
    }
}
