package org.quern.kernels.cuda;

import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Causal attention for training (Dao et al., 2022; 2023): memory grows with the sequence, not with its square.
///
/// Rows of fused queries, keys and values, bf16, hold `heads` query heads, `keyValueHeads` key heads and as many
/// value heads, each of `headDim` columns; `heads / keyValueHeads` neighbouring query heads share a key head
/// (grouped queries). Token t of a sequence sees the tokens from max(start[t], t - window + 1) to t; scores are
/// scaled by 1 / sqrt(headDim). `start[t]` is where the token's document begins in its sequence, so it never falls.
public final class Attention {
    /// The sizes that there are kernels for.
    public static final List<Integer> HEAD_DIMS = List.of(16, 32, 64, 128);

    private static final int THREADS = 128;
    /// Columns of a 16-byte access.
    static final int CHUNK = 8;

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
            if ((double) sequences * length * heads > Integer.MAX_VALUE) {
                throw new GpuException("attention: sequences * length * heads must be below 2^31: got %d * %d * %d"
                        .formatted(sequences, length, heads));
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
            return (long) rows() * (heads + 2 * keyValueHeads) * headDim * Short.BYTES;
        }

        long outBytes() {
            return (long) rows() * heads * headDim * Short.BYTES;
        }

        long startBytes() {
            return (long) rows() * Integer.BYTES;
        }

        long lseBytes() {
            return (long) rows() * heads * Float.BYTES;
        }
    }

    /// What attention reads and writes.
    ///
    /// @param qkv bf16 [sequences * length, (heads + 2 keyValueHeads) * headDim]
    /// @param starts int32 [sequences * length]: where in its sequence each token's document begins
    /// @param out bf16 [sequences * length, heads * headDim], which the forward pass gives
    /// @param lse fp32 [sequences * length, heads], which the forward pass gives: the log of each softmax's
    ///     denominator
    public record Operands(Shape shape, DeviceMemory qkv, DeviceMemory starts, DeviceMemory out, DeviceMemory lse) {
        /// @throws GpuException if a buffer is too small or not aligned
        void check(String kernel) {
            Buffers.check(kernel, "qkv", qkv, shape.fusedBytes());
            Buffers.check(kernel, "starts", starts, shape.startBytes());
            Buffers.check(kernel, "out", out, shape.outBytes());
            Buffers.check(kernel, "lse", lse, shape.lseBytes());
        }
    }

    /// How a kernel cuts its work.
    ///
    /// @param fixed rows of a block's own tile: queries, or keys for dK and dV
    /// @param moving rows of the tiles that pass it
    /// @param stages of these in shared memory
    /// @param residents blocks of a multiprocessor that registers must be left for
    private record Tiling(int fixed, int moving, int stages, int residents) {
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

    /// Of both kernels: of dK and dV, and of dQ.
    private static Tiling backwardTiling(int headDim) {
        return switch (headDim) {
            case 64 -> new Tiling(128, 32, 2, 2);
            case 128 -> new Tiling(64, 32, 2, 2);
            default -> new Tiling(64, 64, 2, 3);
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
                "residents",
                tiling.residents(),
                "cached",
                cached);
    }

    private static KernelVariant backward(int headDim) {
        Tiling tiling = backwardTiling(headDim);
        return KernelVariant.of(
                "attention_backward.sm_80",
                "head_size",
                headDim,
                "fixed_tile",
                tiling.fixed(),
                "moving_tile",
                tiling.moving(),
                "residents",
                tiling.residents());
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(forward(headDim, false), backward(headDim)))
                .toList();
    }

    /// Binds the kernel that [#forward] names.
    ///
    /// @param buffers those of the kernel's parameters that come before the sizes
    static Launch forwardLaunch(KernelLibrary library, boolean cached, Shape shape, Object... buffers) {
        Tiling tiling = forwardTiling(shape.headDim());
        // Q, the stages of K and V, the first key that each query sees, and notes.
        int shared = (tiling.fixed() + 2 * tiling.stages() * tiling.moving()) * shape.headDim() * Short.BYTES
                + tiling.fixed() * Integer.BYTES
                + 32;
        return new Launch(
                library.function(forward(shape.headDim(), cached), "attention_forward"),
                grid(shape.sequences(), shape.heads(), tiling.blocks(shape.length())),
                Dim.of(THREADS),
                shared,
                with(
                        buffers,
                        shape.length(),
                        shape.heads(),
                        shape.keyValueHeads(),
                        shape.span(),
                        shape.exponentScale()));
    }

    static Object[] with(Object[] buffers, Object... sizes) {
        return Stream.concat(Stream.of(buffers), Stream.of(sizes)).toArray();
    }

    private static Dim grid(int sequences, int heads, int tiles) {
        return Dim.of(Math.multiplyExact(sequences * heads, tiles));
    }

    /// out = softmax(q k^T / sqrt(headDim)) v over the keys that each token sees, and lse, the log of the softmax's
    /// denominator.
    public static final class Forward implements GpuKernel {
        private final Launch launch;

        /// @throws GpuException if a buffer is too small or not aligned
        public Forward(KernelLibrary library, Operands operands) {
            operands.check("attention forward");
            launch = forwardLaunch(
                    library,
                    false,
                    operands.shape(),
                    operands.qkv(),
                    operands.starts(),
                    operands.out(),
                    operands.lse());
        }

        @Override
        public void launch(GpuStream stream) {
            stream.launch(launch);
        }
    }

    /// What the backward pass needs of each query and head: its log-sum-exp and its row sum. The first of its
    /// kernels; all of its buffers are checked here.
    ///
    /// @throws GpuException if a buffer is too small or not aligned
    static Launch notes(
            KernelLibrary library, Operands operands, DeviceMemory dOut, DeviceMemory dQkv, DeviceMemory workspace) {
        String kernel = "attention backward";
        Shape shape = operands.shape();
        operands.check(kernel);
        Buffers.check(kernel, "dOut", dOut, shape.outBytes());
        Buffers.check(kernel, "dQkv", dQkv, shape.fusedBytes());
        Buffers.check(kernel, "workspace", workspace, Backward.workspaceBytes(shape));
        int count = shape.rows() * shape.heads();
        return new Launch(
                library.function(backward(shape.headDim()), "attention_notes"),
                Dim.of(Math.ceilDiv(count, THREADS * CHUNK / shape.headDim())),
                Dim.of(THREADS),
                0,
                operands.out(),
                dOut,
                operands.lse(),
                workspace,
                count,
                shape.length(),
                shape.heads());
    }

    /// dQkv = the gradient of attention, deterministic: one kernel for dK and dV, one for dQ, no atomics.
    ///
    /// With p the weights: dV = p^T dOut, dp = dOut v^T, ds = p * (dp - rowsum(dOut * out)) / sqrt(headDim),
    /// dQ = ds k, dK = ds^T q. The weights are computed again, a tile of queries against a tile of keys at a time.
    public static final class Backward implements GpuKernel {
        /// What both kernels need of a query and head: its log-sum-exp and its row sum.
        private static final int NOTE_BYTES = 2 * Float.BYTES;

        private final Launch notes;
        private final Launch keys;
        private final Launch queries;

        /// @param dOut as `out`
        /// @param dQkv as `qkv`
        /// @param workspace [#workspaceBytes] bytes
        /// @throws GpuException if a buffer is too small or not aligned
        public Backward(
                KernelLibrary library,
                Operands operands,
                DeviceMemory dOut,
                DeviceMemory dQkv,
                DeviceMemory workspace) {
            Shape shape = operands.shape();
            notes = notes(library, operands, dOut, dQkv, workspace);
            KernelVariant variant = backward(shape.headDim());
            Tiling tiling = backwardTiling(shape.headDim());
            int tiles = (2 * tiling.fixed() + 2 * tiling.stages() * tiling.moving()) * shape.headDim() * Short.BYTES;
            int noteAndStart = NOTE_BYTES + Integer.BYTES;
            Object[] arguments = {
                operands.qkv(),
                operands.starts(),
                dOut,
                workspace,
                dQkv,
                shape.length(),
                shape.heads(),
                shape.keyValueHeads(),
                shape.span(),
                shape.exponentScale(),
                shape.scale()
            };
            keys = new Launch(
                    library.function(variant, "attention_backward_keys"),
                    grid(shape.sequences(), shape.keyValueHeads(), tiling.blocks(shape.length())),
                    Dim.of(THREADS),
                    tiles + tiling.stages() * tiling.moving() * noteAndStart,
                    arguments);
            queries = new Launch(
                    library.function(variant, "attention_backward_queries"),
                    grid(shape.sequences(), shape.heads(), tiling.blocks(shape.length())),
                    Dim.of(THREADS),
                    tiles + tiling.fixed() * noteAndStart,
                    arguments);
        }

        /// The scratch that the kernel needs.
        public static long workspaceBytes(Shape shape) {
            return (long) shape.rows() * shape.heads() * NOTE_BYTES;
        }

        @Override
        public void launch(GpuStream stream) {
            stream.launch(notes);
            stream.launch(keys);
            stream.launch(queries);
        }
    }
}
