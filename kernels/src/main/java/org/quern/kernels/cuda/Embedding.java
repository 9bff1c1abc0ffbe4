package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Rows of a table by their numbers, and the gradient of the table.
public final class Embedding {
    private static final int WIDEST = 8;
    private static final int GRADIENT_WIDEST = 4;
    private static final int WARPS = 4;
    private static final int DIGIT_BITS = 8;
    private static final int DIGITS = 1 << DIGIT_BITS;
    /// Keys that a block sorts.
    private static final int TILE = 1024;
    private static final int TILE_THREADS = 256;
    private static final int SCAN_THREADS = 1024;
    /// Sorted keys that a warp adds up.
    private static final int RANGE = 32;
    private static final KernelVariant SORT = KernelVariant.of("sort.sm_80");

    private Embedding() {}

    /// out[n] = table[ids[n]].
    ///
    /// @param ids int32 [rows], below `vocabulary`
    /// @param table bf16 [vocabulary, width]
    /// @param out bf16 [rows, width]
    public static GpuKernel forward(
            KernelLibrary library,
            DeviceMemory ids,
            DeviceMemory table,
            DeviceMemory out,
            int rows,
            int vocabulary,
            int width) {
        Streaming streaming = new Streaming("embedding", library);
        streaming.buffer("ids", ids, Integer.BYTES, streaming.positive("rows", rows));
        streaming.positive("width", width);
        streaming.tensor("table", table, ElementType.BF16, (long) streaming.positive("vocabulary", vocabulary) * width);
        streaming.tensor("out", out, ElementType.BF16, (long) rows * width);
        Launch launch = new Launch(
                streaming.function(forwardVariant(streaming.vector(WIDEST, width)), "forward"),
                Dim.of(Math.ceilDiv(rows, WARPS)),
                Dim.of(WARPS * Streaming.WARP),
                0,
                ids,
                table,
                out,
                rows,
                vocabulary,
                width);
        return stream -> stream.launch(launch);
    }

    /// dTable[v] (+)= the sum of dOut[n] over the rows with ids[n] = v, in a fixed order.
    ///
    /// Sorts the rows by their ids, then adds up runs of equal ids in ranges of 32 rows, and what is left of
    /// long runs range by range: the work is spread evenly, however often an id occurs.
    ///
    /// @param ids int32 [rows], below `vocabulary`
    /// @param dOut bf16 [rows, width]
    /// @param dTable fp32 [vocabulary, width]
    /// @param accumulate whether to add to what dTable holds; touches the rows that occur only
    /// @param workspace [#workspaceBytes] bytes
    public static GpuKernel backward(
            KernelLibrary library,
            DeviceMemory ids,
            DeviceMemory dOut,
            DeviceMemory dTable,
            boolean accumulate,
            DeviceMemory workspace,
            int rows,
            int vocabulary,
            int width) {
        Streaming streaming = new Streaming("embedding gradient", library);
        streaming.buffer("ids", ids, Integer.BYTES, streaming.positive("rows", rows));
        streaming.positive("width", width);
        long tableSize = (long) streaming.positive("vocabulary", vocabulary) * width;
        streaming.tensor("dOut", dOut, ElementType.BF16, (long) rows * width);
        streaming.tensor("dTable", dTable, ElementType.F32, tableSize);
        streaming.workspace(workspace, workspaceBytes(rows, width));
        DeviceMemory[] parts = parts(workspace, rows, width);
        List<Launch> launches = new ArrayList<>();
        Sorted sorted = sort(streaming, launches, ids, parts, rows, vocabulary);

        int vector = streaming.vector(GRADIENT_WIDEST, width);
        KernelVariant variant = gradientVariant(vector);
        String suffix = accumulate ? "_accumulate" : "";
        Dim grid = Dim.of(Math.ceilDiv(ranges(rows), WARPS), Math.ceilDiv(width, Streaming.WARP * vector));
        Dim block = Dim.of(WARPS * Streaming.WARP);
        DeviceMemory heads = parts[5];
        DeviceMemory tails = parts[6];
        launches.add(new Launch(
                streaming.function(variant, "sum" + suffix),
                grid,
                block,
                0,
                sorted.keys,
                sorted.rows,
                dOut,
                dTable,
                heads,
                tails,
                rows,
                width));
        launches.add(new Launch(
                streaming.function(variant, "join" + suffix),
                grid,
                block,
                0,
                sorted.keys,
                dTable,
                heads,
                tails,
                rows,
                width));
        DeviceMemory table = dTable.slice(0, tableSize * Float.BYTES);
        return stream -> {
            if (!accumulate) {
                stream.fill(table, (byte) 0);
            }
            for (int i = 0; i < launches.size(); i++) {
                stream.launch(launches.get(i));
            }
        };
    }

    /// Ids in order, and the rows that they belong to.
    private record Sorted(DeviceMemory keys, DeviceMemory rows) {}

    private static Sorted sort(
            Streaming streaming,
            List<Launch> launches,
            DeviceMemory ids,
            DeviceMemory[] parts,
            int rows,
            int vocabulary) {
        int tiles = tiles(rows);
        DeviceMemory counts = parts[0];
        Sorted from = new Sorted(ids, null);
        int bits = Math.max(1, Integer.SIZE - Integer.numberOfLeadingZeros(vocabulary - 1));
        for (int shift = 0; shift < bits; shift += DIGIT_BITS) {
            int half = shift / DIGIT_BITS % 2;
            Sorted to = new Sorted(parts[1 + 2 * half], parts[2 + 2 * half]);
            launches.add(new Launch(
                    streaming.function(SORT, "histogram"),
                    Dim.of(tiles),
                    Dim.of(TILE_THREADS),
                    0,
                    from.keys,
                    counts,
                    rows,
                    vocabulary,
                    shift));
            launches.add(new Launch(
                    streaming.function(SORT, "scan"), Dim.of(1), Dim.of(SCAN_THREADS), 0, counts, DIGITS * tiles));
            launches.add(
                    shift == 0
                            ? new Launch(
                                    streaming.function(SORT, "scatter"),
                                    Dim.of(tiles),
                                    Dim.of(TILE_THREADS),
                                    0,
                                    from.keys,
                                    counts,
                                    to.keys,
                                    to.rows,
                                    rows,
                                    shift)
                            : new Launch(
                                    streaming.function(SORT, "scatter_rows"),
                                    Dim.of(tiles),
                                    Dim.of(TILE_THREADS),
                                    0,
                                    from.keys,
                                    from.rows,
                                    counts,
                                    to.keys,
                                    to.rows,
                                    rows,
                                    shift));
            from = to;
        }
        return from;
    }

    private static int tiles(int rows) {
        return Math.ceilDiv(rows, TILE);
    }

    private static int ranges(int rows) {
        return Math.ceilDiv(rows, RANGE);
    }

    /// Counts of digits, keys and rows twice, heads, tails.
    private static long[] partBytes(int rows, int width) {
        long list = (long) rows * Integer.BYTES;
        long sums = (long) ranges(rows) * width * Float.BYTES;
        return new long[] {(long) DIGITS * tiles(rows) * Integer.BYTES, list, list, list, list, sums, sums};
    }

    private static DeviceMemory[] parts(DeviceMemory workspace, int rows, int width) {
        long[] bytes = partBytes(rows, width);
        DeviceMemory[] parts = new DeviceMemory[bytes.length];
        long at = 0;
        for (int i = 0; i < bytes.length; i++) {
            parts[i] = workspace.slice(at, bytes[i]);
            at += aligned(bytes[i]);
        }
        return parts;
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, 16) * 16;
    }

    /// The scratch that the gradient needs.
    public static long workspaceBytes(int rows, int width) {
        long sum = 0;
        for (long bytes : partBytes(rows, width)) {
            sum += aligned(bytes);
        }
        return sum;
    }

    private static KernelVariant forwardVariant(int vector) {
        return KernelVariant.of("embedding.sm_80", "vector", vector);
    }

    private static KernelVariant gradientVariant(int vector) {
        return KernelVariant.of("embedding_gradient.sm_80", "vector", vector);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(
                forwardVariant(WIDEST), forwardVariant(1), SORT, gradientVariant(GRADIENT_WIDEST), gradientVariant(1));
    }
}
