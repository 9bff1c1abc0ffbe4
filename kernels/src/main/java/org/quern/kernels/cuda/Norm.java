package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// What layer norm and RMS norm have in common: variants and launches.
final class Norm {
    private static final int WIDEST = 8;
    /// Where fp32 shares are read and written for each row.
    private static final int WIDEST_SHARE = 4;
    /// Rows of a block, where a row is a warp's.
    private static final int ROWS = 4;
    /// Warps of a block, where a row is a block's.
    private static final int WARPS = 8;
    private static final List<Integer> WARP_CHUNKS = List.of(1, 2, 3, 4, 6, 8);
    private static final List<Integer> BLOCK_CHUNKS = List.of(2, 4, 8);
    private static final int MAX_THREADS = 1024;

    private final Streaming streaming;
    private final boolean centered;
    private final int rows;
    private final int width;

    /// @param centered whether the mean is taken off: layer norm
    Norm(String kernel, KernelLibrary library, boolean centered, int rows, int width) {
        this.streaming = new Streaming(kernel, library);
        this.centered = centered;
        this.rows = streaming.positive("rows", rows);
        this.width = streaming.positive("width", width);
    }

    /// Checks a tensor [rows, width].
    DeviceMemory rows(String name, DeviceMemory memory) {
        return streaming.tensor(name, memory, ElementType.BF16, (long) rows * width);
    }

    /// Checks a weight [width].
    DeviceMemory weight(String name, DeviceMemory memory) {
        return streaming.tensor(name, memory, ElementType.BF16, width);
    }

    /// Checks fp32 [count].
    DeviceMemory floats(String name, DeviceMemory memory, int count) {
        return streaming.buffer(name, memory, Float.BYTES, count);
    }

    /// @param arguments the entry's, up to `rows`
    GpuKernel forward(boolean residual, double eps, List<Object> arguments) {
        int vector = streaming.vector(WIDEST, width);
        int vectors = Math.ceilDiv(width, vector);
        int warps = vectors <= Streaming.WARP * WARP_CHUNKS.getLast() && vector == WIDEST ? 1 : WARPS;
        int chunks = vector == WIDEST ? chunks(vectors, warps) : 0;
        KernelVariant variant = forwardVariant(centered, vector, warps, chunks);
        List<Object> all = new ArrayList<>(arguments);
        all.addAll(List.of(rows, width, 1f / width, (float) eps));
        Launch launch = new Launch(
                streaming.function(variant, residual ? "forward_residual" : "forward"),
                Dim.of(warps == 1 ? Math.ceilDiv(rows, ROWS) : rows),
                Dim.of((warps == 1 ? ROWS : WARPS) * Streaming.WARP),
                0,
                all.toArray());
        return stream -> stream.launch(launch);
    }

    /// The fewest vectors of a thread that hold a row in registers; 0 if none do.
    private static int chunks(int vectors, int warps) {
        return (warps == 1 ? WARP_CHUNKS : BLOCK_CHUNKS)
                .stream()
                        .filter(chunks -> chunks * warps * Streaming.WARP >= vectors)
                        .findFirst()
                        .orElse(0);
    }

    /// @param arguments the entry's, up to the partials
    /// @param sums dWeight and, for layer norm, dBias
    GpuKernel backward(
            boolean accumulateX,
            List<Object> arguments,
            DeviceMemory workspace,
            List<DeviceMemory> sums,
            List<Boolean> accumulate) {
        int multiprocessors = streaming.multiprocessors();
        streaming.workspace(workspace, workspaceBytes(centered, rows, width, multiprocessors));
        int most = streaming.vector(WIDEST, width);
        boolean wide = Math.ceilDiv(width, most) > MAX_THREADS;
        int vector = wide ? Math.min(most, WIDEST_SHARE) : most;
        int threads = wide ? MAX_THREADS : Math.ceilDiv(Math.ceilDiv(width, vector), Streaming.WARP) * Streaming.WARP;
        int blocks = blocks(rows, width, multiprocessors);
        List<Object> all = new ArrayList<>(arguments);
        all.addAll(List.of(workspace, rows, width, 1f / width));
        Launch launch = new Launch(
                streaming.function(
                        backwardVariant(centered, vector, wide), accumulateX ? "backward_accumulate" : "backward"),
                Dim.of(blocks),
                Dim.of(threads),
                0,
                all.toArray());
        long rowFloats = (long) sums.size() * width;
        List<Launch> combine = new ArrayList<>();
        for (int i = 0; i < sums.size(); i++) {
            long offset = (long) i * width * Float.BYTES;
            DeviceMemory partials = workspace.slice(offset, workspace.bytes() - offset);
            combine.add(
                    ColumnSum.combine(streaming, partials, sums.get(i), accumulate.get(i), blocks, width, rowFloats));
        }
        return stream -> {
            stream.launch(launch);
            for (int i = 0; i < combine.size(); i++) {
                stream.launch(combine.get(i));
            }
        };
    }

    /// As many as registers let reside; with 16 rows a block, the partials are less than a tenth of what is moved.
    private static int blocks(int rows, int width, int multiprocessors) {
        int threads = Math.min(MAX_THREADS, Math.ceilDiv(Math.ceilDiv(width, WIDEST), Streaming.WARP) * Streaming.WARP);
        int resident = Math.min(16, MAX_THREADS / threads);
        return Math.min(Math.ceilDiv(rows, 16), resident * multiprocessors);
    }

    static long workspaceBytes(boolean centered, int rows, int width, int multiprocessors) {
        return (long) blocks(rows, width, multiprocessors) * (centered ? 2 : 1) * width * Float.BYTES;
    }

    private static KernelVariant forwardVariant(boolean centered, int vector, int warps, int chunks) {
        return KernelVariant.of("norm.sm_80", "centered", centered, "vector", vector, "warps", warps, "chunks", chunks);
    }

    private static KernelVariant backwardVariant(boolean centered, int vector, boolean wide) {
        return KernelVariant.of("norm_gradient.sm_80", "centered", centered, "vector", vector, "wide", wide);
    }

    static List<KernelVariant> variants(boolean centered) {
        List<KernelVariant> variants = new ArrayList<>();
        WARP_CHUNKS.forEach(chunks -> variants.add(forwardVariant(centered, WIDEST, 1, chunks)));
        BLOCK_CHUNKS.forEach(chunks -> variants.add(forwardVariant(centered, WIDEST, WARPS, chunks)));
        for (int vector : List.of(WIDEST, 1)) {
            variants.add(forwardVariant(centered, vector, WARPS, 0));
            variants.add(backwardVariant(centered, vector, false));
        }
        variants.add(backwardVariant(centered, WIDEST_SHARE, true));
        variants.add(backwardVariant(centered, 1, true));
        return variants;
    }
}
