package org.quern.kernels.cuda;

import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Attention for generation: appends the keys and values of new rows to a cache, then attends from it.
///
/// As [Attention], for `shape.length()` new rows of each sequence that follow `position` rows in the cache, which
/// are of one document. Few new rows are spread over the GPU by splitting their keys, and put together in the keys'
/// order; many are attention's usual tiles of queries.
public final class CachedAttention implements GpuKernel {
    /// The most new rows of a sequence for which keys are split.
    private static final int MOST_SPLIT_ROWS = 16;

    private static final int WARPS = 4;
    /// Rows of queries, and of a warp's tiles of keys.
    private static final int TILE = 16;
    /// Fewer keys are not worth a block of their own.
    private static final int LEAST_SPLIT = 256;
    /// Blocks for which keys are split, a multiprocessor.
    private static final int BLOCKS = 2;

    private static final int ELEMENTWISE_THREADS = 256;
    /// Columns that a thread combines.
    private static final int COMBINED = 4;

    private final List<Launch> launches;

    /// @param qkv bf16 [sequences * length, (heads + 2 keyValueHeads) * headDim]: the new rows
    /// @param keyCache bf16 [sequences, keyValueHeads, capacity, headDim]; changed
    /// @param valueCache as `keyCache`
    /// @param position int32 [1], read when run: that of the first new row; the kernel stops with a trap if
    ///     the rows overrun the cache
    /// @param out bf16 [sequences * length, heads * headDim]
    /// @param workspace [#workspaceBytes] bytes
    public CachedAttention(
            KernelLibrary library,
            DeviceMemory qkv,
            DeviceMemory keyCache,
            DeviceMemory valueCache,
            DeviceMemory position,
            DeviceMemory out,
            DeviceMemory workspace,
            Attention.Shape shape,
            int capacity) {
        String kernel = "cached attention";
        if (capacity < shape.length()) {
            throw new GpuException("%s: the cache must hold the %d new rows of a sequence: got a capacity of %d"
                    .formatted(kernel, shape.length(), capacity));
        }
        long cacheBytes = (long) shape.sequences() * shape.keyValueHeads() * capacity * shape.headDim() * Short.BYTES;
        Buffers.check(kernel, "qkv", qkv, shape.fusedBytes());
        Buffers.check(kernel, "keyCache", keyCache, cacheBytes);
        Buffers.check(kernel, "valueCache", valueCache, cacheBytes);
        Buffers.check(kernel, "position", position, Integer.BYTES);
        Buffers.check(kernel, "out", out, shape.outBytes());
        Buffers.check(kernel, "workspace", workspace, workspaceBytes(library.device(), shape, capacity));

        KernelVariant variant = decode(shape.headDim());
        Launch append = new Launch(
                library.function(variant, "append"),
                elementwise(2L * shape.rows() * shape.keyValueHeads() * shape.headDim() / Attention.CHUNK),
                Dim.of(ELEMENTWISE_THREADS),
                0,
                qkv,
                keyCache,
                valueCache,
                position,
                shape.rows(),
                shape.length(),
                shape.heads(),
                shape.keyValueHeads(),
                capacity);
        if (shape.length() > MOST_SPLIT_ROWS) {
            launches = List.of(
                    append,
                    Attention.forwardLaunch(library, true, shape, qkv, keyCache, valueCache, position, out, capacity));
            return;
        }
        int splits = splits(library.device(), shape, capacity);
        DeviceMemory sums = workspace.slice(0, sumsBytes(shape, splits));
        DeviceMemory notes = workspace.slice(sums.bytes(), notesBytes(shape, splits));
        Launch attend = new Launch(
                library.function(variant, "attention_decode"),
                Dim.of(units(shape), splits),
                Dim.of(WARPS * 32),
                // Two stages of K and V a warp, and (largest, total) of its rows.
                WARPS * TILE * (4 * shape.headDim() * Short.BYTES + 2 * Float.BYTES),
                qkv,
                keyCache,
                valueCache,
                position,
                out,
                sums,
                notes,
                shape.sequences(),
                shape.length(),
                shape.heads(),
                shape.keyValueHeads(),
                capacity,
                shape.span(),
                shape.exponentScale());
        if (splits == 1) {
            launches = List.of(append, attend);
            return;
        }
        int count = shape.rows() * shape.heads();
        Launch combine = new Launch(
                library.function(variant, "attention_combine"),
                elementwise((long) count * shape.headDim() / COMBINED),
                Dim.of(ELEMENTWISE_THREADS),
                0,
                sums,
                notes,
                out,
                count,
                splits,
                shape.exponentScale());
        launches = List.of(append, attend, combine);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return Attention.HEAD_DIMS.stream()
                .flatMap(headDim -> Stream.of(decode(headDim), Attention.forward(headDim, true)))
                .toList();
    }

    private static KernelVariant decode(int headDim) {
        return KernelVariant.of("attention_decode.sm_80", "head_size", headDim);
    }

    /// The scratch that the kernel needs.
    public static long workspaceBytes(DeviceProperties device, Attention.Shape shape, int capacity) {
        int splits = splits(device, shape, capacity);
        return sumsBytes(shape, splits) + notesBytes(shape, splits);
    }

    /// Parts of the keys, as many as give all multiprocessors work.
    private static int splits(DeviceProperties device, Attention.Shape shape, int capacity) {
        if (shape.length() > MOST_SPLIT_ROWS) {
            return 1;
        }
        int keys = (int) Math.min(capacity, (long) shape.span() + shape.length() - 1);
        int wanted = Math.ceilDiv(BLOCKS * device.multiprocessors(), units(shape));
        return Math.min(wanted, Math.ceilDiv(keys, LEAST_SPLIT));
    }

    /// Tiles of rows: the query heads of a key head times new rows.
    private static int units(Attention.Shape shape) {
        return shape.sequences() * shape.keyValueHeads() * Math.ceilDiv(shape.length() * shape.group(), TILE);
    }

    private static long sumsBytes(Attention.Shape shape, int splits) {
        return splits == 1 ? 0 : (long) splits * shape.rows() * shape.heads() * shape.headDim() * Float.BYTES;
    }

    /// The largest score and the total weight of a part.
    private static long notesBytes(Attention.Shape shape, int splits) {
        return splits == 1 ? 0 : (long) splits * shape.rows() * shape.heads() * 2 * Float.BYTES;
    }

    private static Dim elementwise(long threads) {
        return Dim.of(Math.toIntExact(Math.ceilDiv(threads, ELEMENTWISE_THREADS)));
    }

    @Override
    public void launch(GpuStream stream) {
        for (Launch launch : launches) {
            stream.launch(launch);
        }
    }
}
