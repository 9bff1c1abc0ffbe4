package org.quern.kernels.cuda;

import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.TensorMap;
import org.quern.kernels.cuda.Attention.Operands;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.ptx.KernelVariant;

/// [Attention] for compute capability 9.0: products of warpgroups from tiles that tensor maps copy. The same
/// results, up to the order of sums, for heads of 64 and 128.
public final class WarpgroupAttention {
    /// The sizes that there are kernels for.
    public static final List<Integer> HEAD_DIMS = List.of(64, 128);

    /// Rows of a block's own tile.
    private static final int OWN = 128;
    /// Rows of the tiles that pass: keys in the forward pass, either in the backward pass.
    private static final int FORWARD_PASSING = 128;
    private static final int BACKWARD_PASSING = 64;

    private static final int BOX_COLUMNS = 64;
    private static final int THREADS = 384;
    private static final int STAGES = 2;

    private WarpgroupAttention() {}

    static void check(Shape shape) {
        if (!HEAD_DIMS.contains(shape.headDim())) {
            throw new GpuException(
                    "attention by warpgroups: headDim must be one of %s: got %d".formatted(HEAD_DIMS, shape.headDim()));
        }
    }

    /// Sequences of rows of heads, in boxes of 64 columns.
    ///
    /// @param heads of a row
    static TensorMap map(DeviceMemory memory, Shape shape, int heads, int boxRows) {
        long width = (long) heads * shape.headDim();
        return new TensorMap(
                TensorMap.Element.BFLOAT16,
                memory.address(),
                List.of(width, (long) shape.length(), (long) shape.sequences()),
                List.of(width * Short.BYTES, width * Short.BYTES * shape.length()),
                List.of(BOX_COLUMNS, boxRows, 1),
                TensorMap.Swizzle.BYTES_128);
    }

    static int fusedHeads(Shape shape) {
        return shape.heads() + 2 * shape.keyValueHeads();
    }

    private static Dim grid(Shape shape, int heads) {
        return Dim.of(Math.multiplyExact(shape.sequences() * heads, Math.ceilDiv(shape.length(), OWN)));
    }

    /// All that ship; those of [FusedAttentionGradient] are its own.
    public static List<KernelVariant> variants() {
        return HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(forward(headDim), backward(headDim)))
                .toList();
    }

    private static KernelVariant forward(int headDim) {
        return KernelVariant.of("attention_forward.sm_90a", "head_size", headDim);
    }

    private static KernelVariant backward(int headDim) {
        return KernelVariant.of("attention_backward.sm_90a", "head_size", headDim);
    }

    /// As [Attention.Forward].
    public static final class Forward implements GpuKernel {
        /// Of Q, and of each stage's K and V and their places.
        private static final int BARRIERS = 1 + 4 * STAGES;

        private final Launch launch;

        /// @throws GpuException if there is no kernel for the head's size, or a buffer is too small or not
        ///     aligned
        public Forward(KernelLibrary library, Operands operands) {
            Shape shape = operands.shape();
            int headDim = shape.headDim();
            check(shape);
            operands.check("attention forward");
            launch = library.dependent(new Launch(
                    library.function(forward(headDim), "attention_forward"),
                    grid(shape, shape.heads()),
                    Dim.of(THREADS),
                    (OWN + 2 * STAGES * FORWARD_PASSING) * headDim * Short.BYTES + BARRIERS * Long.BYTES,
                    map(operands.qkv(), shape, fusedHeads(shape), FORWARD_PASSING),
                    operands.starts(),
                    operands.out(),
                    operands.lse(),
                    shape.length(),
                    shape.heads(),
                    shape.keyValueHeads(),
                    shape.span(),
                    shape.exponentScale()));
        }

        @Override
        public void launch(GpuStream stream) {
            stream.launch(launch);
        }
    }

    /// How its gradient is computed. Both are deterministic, and differ in the order of sums.
    public enum Gradient {
        /// [Backward]: seven products of tiles.
        TWO_KERNELS,
        /// [FusedAttentionGradient]: five, by whole heads of keys.
        FUSED;

        /// The one that is expected to be faster, if nobody measured. Five products take less time than seven
        /// unless too many multiprocessors are without a head of keys, or dK and dV of heads of 128 are stored
        /// and loaded for several chunks. Nor shall it take more scratch than what it gives.
        public static Gradient choose(DeviceProperties device, Shape shape) {
            long heads = (long) shape.sequences() * shape.keyValueHeads();
            long places = Math.ceilDiv(heads, (long) device.multiprocessors()) * device.multiprocessors();
            FusedAttentionGradient.Plan plan = FusedAttentionGradient.Plan.of(device, shape);
            boolean stays = shape.headDim() <= 64 || plan.chunk() >= shape.length();
            return 5 * places < 7 * heads && stays && plan.workspaceBytes(shape) <= shape.fusedBytes()
                    ? FUSED
                    : TWO_KERNELS;
        }

        /// The scratch that it needs.
        public long workspaceBytes(DeviceProperties device, Shape shape) {
            return switch (this) {
                case TWO_KERNELS -> Attention.Backward.workspaceBytes(shape);
                case FUSED -> FusedAttentionGradient.Plan.of(device, shape).workspaceBytes(shape);
            };
        }

        /// Makes the kernel, as [Backward] does.
        ///
        /// @param workspace [#workspaceBytes] bytes
        public GpuKernel bind(
                KernelLibrary library,
                Operands operands,
                DeviceMemory dOut,
                DeviceMemory dQkv,
                DeviceMemory workspace) {
            return switch (this) {
                case TWO_KERNELS -> new Backward(library, operands, dOut, dQkv, workspace);
                case FUSED -> {
                    FusedAttentionGradient.Plan plan =
                            FusedAttentionGradient.Plan.of(library.device(), operands.shape());
                    yield new FusedAttentionGradient(library, plan, operands, dOut, dQkv, workspace);
                }
            };
        }
    }

    /// As [Attention.Backward], with its notes.
    public static final class Backward implements GpuKernel {
        /// Of the own tiles, and of each stage and its place.
        private static final int BARRIERS = 1 + 2 * STAGES;

        private final Launch notes;
        private final Launch keys;
        private final Launch queries;

        /// @param workspace [Attention.Backward#workspaceBytes] bytes
        /// @throws GpuException if there is no kernel for the head's size, or a buffer is too small or not
        ///     aligned
        public Backward(
                KernelLibrary library,
                Operands operands,
                DeviceMemory dOut,
                DeviceMemory dQkv,
                DeviceMemory workspace) {
            Shape shape = operands.shape();
            check(shape);
            notes = Attention.notes(library, operands, dOut, dQkv, workspace);
            KernelVariant variant = backward(shape.headDim());
            int sharedBytes =
                    (2 * OWN + 2 * STAGES * BACKWARD_PASSING) * shape.headDim() * Short.BYTES + BARRIERS * Long.BYTES;
            Object[] arguments = {
                map(operands.qkv(), shape, fusedHeads(shape), BACKWARD_PASSING),
                map(dOut, shape, shape.heads(), BACKWARD_PASSING),
                operands.starts(),
                workspace,
                dQkv,
                shape.length(),
                shape.heads(),
                shape.keyValueHeads(),
                shape.span(),
                shape.exponentScale(),
                shape.scale()
            };
            keys = library.dependent(new Launch(
                    library.function(variant, "attention_backward_keys"),
                    grid(shape, shape.keyValueHeads()),
                    Dim.of(THREADS),
                    sharedBytes,
                    arguments));
            queries = library.dependent(new Launch(
                    library.function(variant, "attention_backward_queries"),
                    grid(shape, shape.heads()),
                    Dim.of(THREADS),
                    sharedBytes,
                    arguments));
        }

        @Override
        public void launch(GpuStream stream) {
            stream.launch(notes);
            stream.launch(keys);
            stream.launch(queries);
        }
    }
}
