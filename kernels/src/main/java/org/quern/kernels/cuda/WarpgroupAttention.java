package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.TensorMap;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.ptx.KernelVariant;

/// [Attention.Forward] for compute capability 9.0: products of warpgroups from tiles that tensor maps copy. The same
/// results, up to the order of sums, for heads of 64 and 128.
public final class WarpgroupAttention implements GpuKernel {
    /// The sizes that there are kernels for.
    public static final List<Integer> HEAD_DIMS = List.of(64, 128);

    /// Queries of a block, and keys of a tile.
    private static final int TILE = 128;
    private static final int BOX_COLUMNS = 64;
    private static final int THREADS = 384;
    private static final int STAGES = 2;
    /// Of Q, and of each stage's K and V and their places.
    private static final int BARRIERS = 1 + 4 * STAGES;

    private final Launch launch;

    /// @param qkv bf16 [sequences * length, (heads + 2 keyValueHeads) * headDim], aligned to 16 bytes
    /// @param starts int32 [sequences * length]: where in its sequence each token's document begins
    /// @param out bf16 [sequences * length, heads * headDim]
    /// @param lse fp32 [sequences * length, heads]
    /// @throws GpuException if there is no kernel for the head's size, or a buffer is too small or not aligned
    public WarpgroupAttention(
            KernelLibrary library,
            DeviceMemory qkv,
            DeviceMemory starts,
            DeviceMemory out,
            DeviceMemory lse,
            Shape shape) {
        String kernel = "attention forward";
        int headDim = shape.headDim();
        if (!HEAD_DIMS.contains(headDim)) {
            throw new GpuException(
                    "attention by warpgroups: headDim must be one of %s: got %d".formatted(HEAD_DIMS, headDim));
        }
        Buffers.check(kernel, "qkv", qkv, shape.fusedBytes());
        long width = (shape.heads() + 2L * shape.keyValueHeads()) * headDim;
        TensorMap map = new TensorMap(
                TensorMap.Element.BFLOAT16,
                qkv.address(),
                List.of(width, (long) shape.length(), (long) shape.sequences()),
                List.of(width * Short.BYTES, width * Short.BYTES * shape.length()),
                List.of(BOX_COLUMNS, TILE, 1),
                TensorMap.Swizzle.BYTES_128);
        launch = new Launch(
                library.function(variant(headDim), "attention_forward"),
                Dim.of(Math.multiplyExact(shape.sequences() * shape.heads(), Math.ceilDiv(shape.length(), TILE))),
                Dim.of(THREADS),
                (1 + 2 * STAGES) * TILE * headDim * Short.BYTES + BARRIERS * Long.BYTES,
                map,
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

    /// All that ship.
    public static List<KernelVariant> variants() {
        return HEAD_DIMS.stream().map(WarpgroupAttention::variant).toList();
    }

    private static KernelVariant variant(int headDim) {
        return KernelVariant.of("attention_forward.sm_90a", "head_size", headDim);
    }
}
