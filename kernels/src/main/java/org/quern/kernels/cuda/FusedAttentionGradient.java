package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.kernels.cuda.Attention.Operands;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.ptx.KernelVariant;

/// As [WarpgroupAttention.Backward] in one pass, by five products of tiles instead of seven: each block takes whole
/// heads of keys, one after the other, and adds dQ up in memory that no other block touches. So the same bits on
/// every launch, however many blocks there are.
public final class FusedAttentionGradient implements GpuKernel {
    private static final String KERNEL = "fused attention gradient";
    private static final int KEYS = 128;
    /// Numbers of dQ in a chunk: with Q and dOut 8 bytes each, for 132 multiprocessors as much as an H100's L2
    /// cache.
    private static final int CHUNK = 3 << 14;
    /// Up to here all queries are a chunk: of those the average tile of keys is seen by half.
    private static final int ONLY_CHUNK = 1 << 16;

    private static final int THREADS = 384;

    private final Launch notes;
    private final Launch gradient;

    /// How the work is cut.
    ///
    /// @param blocks that take the heads of keys in turn
    /// @param chunk of how many queries dQ is added up at a time, a multiple of 128; the results depend on it
    public record Plan(int blocks, int chunk) {
        public Plan {
            if (blocks < 1 || chunk < KEYS || chunk % KEYS != 0) {
                throw new GpuException("%s: blocks must be at least 1 and chunk a multiple of %d: got %d, %d"
                        .formatted(KERNEL, KEYS, blocks, chunk));
            }
        }

        /// A block for each multiprocessor, and chunks that the L2 cache holds for all of them.
        public static Plan of(DeviceProperties device, Shape shape) {
            int width = shape.headDim() * shape.group();
            int rows = (long) shape.length() * width <= ONLY_CHUNK ? shape.length() : CHUNK / width;
            int tiles = Math.max(1, shape.length() <= rows ? Math.ceilDiv(rows, KEYS) : rows / KEYS);
            return new Plan(Math.min(device.multiprocessors(), items(shape)), tiles * KEYS);
        }

        /// The scratch that the kernels need.
        public long workspaceBytes(Shape shape) {
            return Attention.Backward.workspaceBytes(shape) + blocks * sumBytes(shape);
        }

        /// Of a block: dQ of a chunk, and, if there are several, dK and dV of all keys.
        private long sumBytes(Shape shape) {
            long queries = (long) shape.group() * Math.min(chunk, keys(shape));
            return (queries + (chunk < shape.length() ? 2L * keys(shape) : 0)) * shape.headDim() * Float.BYTES;
        }

        /// Of a head, in whole tiles.
        private static int keys(Shape shape) {
            return Math.ceilDiv(shape.length(), KEYS) * KEYS;
        }

        private static int items(Shape shape) {
            return shape.sequences() * shape.keyValueHeads();
        }
    }

    /// @param dOut as `out`
    /// @param dQkv as `qkv`
    /// @param workspace [Plan#workspaceBytes] bytes
    /// @throws GpuException if there is no kernel for the head's size, or a buffer is too small or not aligned
    public FusedAttentionGradient(
            KernelLibrary library,
            Plan plan,
            Operands operands,
            DeviceMemory dOut,
            DeviceMemory dQkv,
            DeviceMemory workspace) {
        Shape shape = operands.shape();
        WarpgroupAttention.check(shape);
        Buffers.check(KERNEL, "workspace", workspace, plan.workspaceBytes(shape));
        notes = Attention.notes(library, operands, dOut, dQkv, workspace);
        long noteBytes = Attention.Backward.workspaceBytes(shape);
        gradient = library.dependent(new Launch(
                library.function(variant(shape.headDim()), "attention_gradient"),
                Dim.of(plan.blocks()),
                Dim.of(THREADS),
                sharedBytes(shape.headDim()),
                WarpgroupAttention.map(operands.qkv(), shape, WarpgroupAttention.fusedHeads(shape), 64),
                WarpgroupAttention.map(dOut, shape, shape.heads(), 64),
                operands.starts(),
                workspace,
                workspace.slice(noteBytes, plan.workspaceBytes(shape) - noteBytes),
                dQkv,
                Plan.items(shape),
                shape.length(),
                shape.heads(),
                shape.keyValueHeads(),
                shape.span(),
                Math.min(plan.chunk(), Plan.keys(shape)),
                shape.exponentScale(),
                shape.scale()));
    }

    /// Two tiles of keys and values, two stages of queries and what comes in, gradients of scores twice, what is to
    /// do and to know of the queries of a stage, and mbarriers.
    private static int sharedBytes(int headDim) {
        int queries = 8192 / headDim;
        int tiles = 4 * KEYS * headDim + 4 * queries * headDim + 2 * queries * KEYS;
        return tiles * Short.BYTES + 2 * (queries * 3 * Integer.BYTES + 32) + 8 * Long.BYTES;
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return WarpgroupAttention.HEAD_DIMS.stream()
                .map(FusedAttentionGradient::variant)
                .toList();
    }

    private static KernelVariant variant(int headDim) {
        return KernelVariant.of("attention_gradient.sm_90a", "head_size", headDim);
    }

    @Override
    public void launch(GpuStream stream) {
        stream.launch(notes);
        stream.launch(gradient);
    }
}
