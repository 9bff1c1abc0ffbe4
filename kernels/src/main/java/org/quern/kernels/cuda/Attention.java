package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Causal attention for training (Dao et al., 2022; 2023): memory grows with the sequence, not with its square.
///
/// Rows of fused queries, keys and values, bf16, hold `heads` query heads, `keyValueHeads` key heads and as many value
/// heads, each of `headDim` columns; `heads / keyValueHeads` neighbouring query heads share a key head (grouped
/// queries). Token t of a sequence sees the tokens from max(start[t], t - window + 1) to t; scores are scaled by
/// 1 / sqrt(headDim). `start[t]` is where the token's document begins in its sequence, so it never falls.
public final class Attention {
    /// The sizes that there are kernels for.
    public static final List<Integer> HEAD_DIMS = List.of(16, 32, 64, 128);

    private static final int THREADS = 128;
    private static final int BF16 = 2;

    private Attention() {}

    /// The sizes of attention.
    ///
    /// @param sequences in the batch
    /// @param length rows of a sequence
    /// @param heads query heads
    /// @param keyValueHeads key heads, and value heads, a divisor of `heads`
    /// @param headDim columns of a head, one of [#HEAD_DIMS]
    /// @param window how many tokens a token sees at most, itself included; 0: all before it
    public record Shape(int sequences, int length, int heads, int keyValueHeads, int headDim, int window) {
        public Shape {
            if (sequences < 1 || length < 1 || heads < 1 || keyValueHeads < 1 || window < 0) {
                throw new GpuException(("attention: sequences, length, heads and keyValueHeads must be at least 1,"
                                + " window at least 0: got %d, %d, %d, %d, %d")
                        .formatted(sequences, length, heads, keyValueHeads, window));
            }
            if (heads % keyValueHeads != 0) {
                throw new GpuException(
                        "attention: keyValueHeads must divide heads %d: got %d".formatted(heads, keyValueHeads));
            }
            if (!HEAD_DIMS.contains(headDim)) {
                throw new GpuException("attention: headDim must be one of %s: got %d".formatted(HEAD_DIMS, headDim));
            }
            if ((long) sequences * length > Integer.MAX_VALUE) {
                throw new GpuException(
                        "attention: sequences * length must be below 2^31: got %d * %d".formatted(sequences, length));
            }
        }

        int rows() {
            return sequences * length;
        }

        int group() {
            return heads / keyValueHeads;
        }

        /// How many tokens a token sees at most, in any case.
        int span() {
            return window == 0 ? Integer.MAX_VALUE : window;
        }

        /// 1 / sqrt(headDim).
        float scale() {
            return (float) (1 / Math.sqrt(headDim));
        }

        /// The factor that turns products of queries and keys into exponents of 2.
        float exponentScale() {
            return (float) (1 / Math.sqrt(headDim) / Math.log(2));
        }

        long fusedBytes() {
            return (long) rows() * (heads + 2 * keyValueHeads) * headDim * BF16;
        }

        long outBytes() {
            return (long) rows() * heads * headDim * BF16;
        }

        long startBytes() {
            return (long) rows() * Integer.BYTES;
        }

        long lseBytes() {
            return (long) rows() * heads * Float.BYTES;
        }
    }

    /// How a kernel cuts its work, and what of it is in shared memory.
    ///
    /// @param fixed rows of a block's own tile: queries, or keys for dK and dV
    /// @param moving rows of the tiles that pass it
    /// @param stages of these tiles in flight
    /// @param blocks a multiprocessor, by registers
    private record Tiling(int fixed, int moving, int stages, int blocks) {
        int blocks(int length) {
            return Math.ceilDiv(length, fixed);
        }
    }

    private static Tiling forwardTiling(int headDim) {
        return switch (headDim) {
            case 64 -> new Tiling(128, 64, 2, 2);
            case 128 -> new Tiling(128, 64, 1, 2);
            default -> new Tiling(64, 64, 2, 4);
        };
    }

    /// The kernel of [Forward], or, `cached`, of [CachedAttention] for many rows.
    static KernelVariant forward(int headDim, boolean cached) {
        Tiling tiling = forwardTiling(headDim);
        return KernelVariant.of(
                "attention_forward.sm_80",
                "head_size",
                headDim,
                "query_tile",
                tiling.fixed(),
                "key_tile",
                tiling.moving(),
                "stages",
                tiling.stages(),
                "blocks_per_multiprocessor",
                tiling.blocks(),
                "cached",
                cached);
    }

    /// The blocks of [#forward].
    static Dim forwardGrid(String kernel, Shape shape) {
        return grid(
                kernel,
                shape.sequences(),
                shape.heads(),
                forwardTiling(shape.headDim()).blocks(shape.length()));
    }

    /// Dynamic shared memory of [#forward]: Q, stages of K and V, the first key that each query sees, and notes.
    static int forwardShared(int headDim) {
        Tiling tiling = forwardTiling(headDim);
        return (tiling.fixed() + 2 * tiling.stages() * tiling.moving()) * headDim * BF16
                + tiling.fixed() * Integer.BYTES
                + 32;
    }

    private static Dim grid(String kernel, int sequences, int heads, int tiles) {
        long blocks = (long) sequences * heads * tiles;
        if (blocks > Integer.MAX_VALUE) {
            throw new GpuException("%s: sequences * heads * tiles of queries must be below 2^31: got %d * %d * %d"
                    .formatted(kernel, sequences, heads, tiles));
        }
        return Dim.of((int) blocks);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return HEAD_DIMS.stream().map(headDim -> forward(headDim, false)).toList();
    }

    /// out = softmax(q k^T / sqrt(headDim)) v over the keys that each token sees, and lse, the log of the softmax's
    /// denominator.
    public static final class Forward implements GpuKernel {
        private final Launch launch;

        /// @param qkv bf16 [sequences * length, (heads + 2 keyValueHeads) * headDim]
        /// @param starts int32 [sequences * length]: where in its sequence each token's document begins
        /// @param out bf16 [sequences * length, heads * headDim]
        /// @param lse fp32 [sequences * length, heads]
        public Forward(
                KernelLibrary library,
                DeviceMemory qkv,
                DeviceMemory starts,
                DeviceMemory out,
                DeviceMemory lse,
                Shape shape) {
            String kernel = "attention forward";
            launch = new Launch(
                    library.function(forward(shape.headDim(), false), "attention_forward"),
                    forwardGrid(kernel, shape),
                    Dim.of(THREADS),
                    forwardShared(shape.headDim()),
                    Buffers.check(kernel, "qkv", qkv, shape.fusedBytes()),
                    Buffers.check(kernel, "starts", starts, shape.startBytes()),
                    Buffers.check(kernel, "out", out, shape.outBytes()),
                    Buffers.check(kernel, "lse", lse, shape.lseBytes()),
                    shape.length(),
                    shape.heads(),
                    shape.keyValueHeads(),
                    shape.span(),
                    shape.exponentScale());
        }

        @Override
        public void launch(GpuStream stream) {
            stream.launch(launch);
        }
    }
}
