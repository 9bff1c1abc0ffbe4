package org.quern.kernels.cpu;

import static java.lang.Math.ceilDiv;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.address;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;
import static org.quern.kernels.cpu.RegisterTile.COLUMNS;
import static org.quern.kernels.cpu.RegisterTile.ROWS;
import static org.quern.kernels.cpu.RegisterTile.SHORT_ROWS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// C = op(A) op(B), or C += op(A) op(B), in fp32; op(A) is [m, k], op(B) is [k, n], C is [m, n].
///
/// Matrices are dense and row-major: A is stored as [m, k], or as [k, m] when it is transposed; B as [k, n] or [n, k].
///
/// Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), with the outer loops as phases.
/// The product is cut into blocks of at most `BLOCK_ROWS` x `BLOCK_DEPTH` x `BLOCK_COLUMNS`. A block takes two phases:
/// its parts of A and B are packed into panels in the order in which `RegisterTile` reads them, padded with zeros; then
/// tasks multiply panels, each for its own tile of C.
///
/// An element of C is the sum, in order, of partial sums over `DEPTH` consecutive k, each of them a chain of fused
/// multiply-adds from zero. So it has the same bits on any number of threads, with vectors of any width, and whatever
/// other rows and columns are computed beside it.
public final class MatMul implements Kernel {
    /// The length of a partial sum: a panel of B of this depth stays in the first-level cache, and a task's part of A
    /// in the second.
    private static final int DEPTH = 256;

    private static final int BLOCK_ROWS = 1056;
    private static final int BLOCK_DEPTH = 4 * DEPTH;
    private static final int BLOCK_COLUMNS = 2048;

    /// The tile of C that a task computes is at most this large.
    private static final int TASK_ROWS = 132;
    private static final int TASK_COLUMNS = 256;

    private static final int ALIGNMENT = 64;

    private static final long VECTOR_BYTES = SPECIES.vectorByteSize();
    private static final long SUMS_STRIDE = (long) COLUMNS * Float.BYTES;
    private static final long SUMS_BYTES = ROWS * SUMS_STRIDE;

    private static final MemorySegment ZEROS = Arena.global().allocate(SUMS_STRIDE, ALIGNMENT);

    // Kept so that a buffer lives as long as its kernel.
    private final MemorySegment[] buffers;

    private final long a;
    private final long b;
    private final long c;
    private final long bias;
    private final int m;
    private final int n;
    private final int k;
    private final boolean transposeA;
    private final boolean transposeB;
    private final boolean accumulate;

    private final int blockRows;
    private final int blockColumns;
    private final int blockDepth;
    private final int rowBlocks;
    private final int columnBlocks;
    private final int depthBlocks;
    private final int taskRows;
    private final int taskColumns;

    private final long packedA;
    private final long packedB;
    private final long allSums;

    /// @param workspace at least `workspaceBytes(m, n, k)` bytes, which any number of kernels may share as long
    ///     as they do not run at the same time
    public MatMul(
            MemorySegment a,
            MemorySegment b,
            MemorySegment c,
            int m,
            int n,
            int k,
            boolean transposeA,
            boolean transposeB,
            boolean accumulate,
            MemorySegment workspace) {
        this(a, b, c, null, m, n, k, transposeA, transposeB, accumulate, workspace);
    }

    /// @param bias a row of n numbers that is added to every row of the product, or null
    /// @param workspace at least `workspaceBytes(m, n, k)` bytes, which any number of kernels may share as long
    ///     as they do not run at the same time
    public MatMul(
            MemorySegment a,
            MemorySegment b,
            MemorySegment c,
            MemorySegment bias,
            int m,
            int n,
            int k,
            boolean transposeA,
            boolean transposeB,
            boolean accumulate,
            MemorySegment workspace) {
        if (m < 1 || n < 1 || k < 1) {
            throw new IllegalArgumentException("m, n and k must be at least 1: got %d, %d, %d".formatted(m, n, k));
        }
        if (accumulate && bias != null) {
            throw new IllegalArgumentException("a product that accumulates takes no bias");
        }
        this.a = address("a", a, (long) m * k);
        this.b = address("b", b, (long) k * n);
        this.c = address("c", c, (long) m * n);
        this.bias = bias == null ? 0 : address("bias", bias, n);
        if (c.asOverlappingSlice(a).isPresent() || c.asOverlappingSlice(b).isPresent()) {
            throw new IllegalArgumentException("c must not overlap a or b");
        }
        this.m = m;
        this.n = n;
        this.k = k;
        this.transposeA = transposeA;
        this.transposeB = transposeB;
        this.accumulate = accumulate;
        buffers = new MemorySegment[] {a, b, c, bias, workspace};

        blockRows = part(m, BLOCK_ROWS, ROWS);
        blockColumns = part(n, BLOCK_COLUMNS, COLUMNS);
        blockDepth = part(k, BLOCK_DEPTH, DEPTH);
        rowBlocks = ceilDiv(m, blockRows);
        columnBlocks = ceilDiv(n, blockColumns);
        depthBlocks = ceilDiv(k, blockDepth);
        taskRows = part(blockRows, TASK_ROWS, ROWS);
        taskColumns = part(blockColumns, TASK_COLUMNS, COLUMNS);

        packedA = roundUp(address("workspace", workspace, workspaceBytes(m, n, k) / Float.BYTES), ALIGNMENT);
        packedB = packedA + packedABytes(m, k);
        allSums = packedB + packedBBytes(n, k);
    }

    /// The bytes of workspace that a product of this size needs: at most about 13 MB.
    public static long workspaceBytes(int m, int n, int k) {
        return ALIGNMENT + packedABytes(m, k) + packedBBytes(n, k) + sumsBytes(m, n);
    }

    private static long packedABytes(int m, int k) {
        int rows = roundUp(part(m, BLOCK_ROWS, ROWS), SHORT_ROWS);
        return roundUp((long) rows * Math.min(k, part(k, BLOCK_DEPTH, DEPTH)) * Float.BYTES, ALIGNMENT);
    }

    private static long packedBBytes(int n, int k) {
        int columns = part(n, BLOCK_COLUMNS, COLUMNS);
        return (long) columns * Math.min(k, part(k, BLOCK_DEPTH, DEPTH)) * Float.BYTES;
    }

    private static long sumsBytes(int m, int n) {
        int rows = part(m, BLOCK_ROWS, ROWS);
        int columns = part(n, BLOCK_COLUMNS, COLUMNS);
        return SUMS_BYTES
                * ceilDiv(rows, part(rows, TASK_ROWS, ROWS))
                * ceilDiv(columns, part(columns, TASK_COLUMNS, COLUMNS));
    }

    /// The size of the parts, a multiple of `unit`, when `length` is cut into as few as `limit` allows, evenly.
    private static int part(int length, int limit, int unit) {
        return roundUp(ceilDiv(length, ceilDiv(length, limit)), unit);
    }

    private static int roundUp(int value, int unit) {
        return ceilDiv(value, unit) * unit;
    }

    private static long roundUp(long value, int unit) {
        return ceilDiv(value, unit) * unit;
    }

    @Override
    public int phases() {
        return 2 * rowBlocks * columnBlocks * depthBlocks;
    }

    @Override
    public int tasks(int phase) {
        int block = phase / 2;
        if (isPacking(phase)) {
            return panelsOfA(block) + panelsOfB(block);
        }
        return ceilDiv(rows(block), taskRows) * ceilDiv(columns(block), taskColumns);
    }

    @Override
    public void run(int phase, int task) {
        int block = phase / 2;
        if (!isPacking(phase)) {
            multiply(block, task);
        } else if (task < panelsOfA(block)) {
            packA(block, task);
        } else {
            packB(block, task - panelsOfA(block));
        }
    }

    private static boolean isPacking(int phase) {
        return phase % 2 == 0;
    }

    // Blocks follow each other by depth, then by rows, then by columns.

    private int row(int block) {
        return block / depthBlocks % rowBlocks * blockRows;
    }

    private int rows(int block) {
        return Math.min(blockRows, m - row(block));
    }

    private int column(int block) {
        return block / (depthBlocks * rowBlocks) * blockColumns;
    }

    private int columns(int block) {
        return Math.min(blockColumns, n - column(block));
    }

    private int step(int block) {
        return block % depthBlocks * blockDepth;
    }

    private int depth(int block) {
        return Math.min(blockDepth, k - step(block));
    }

    /// The number of panels of A to pack: none if the block before had the same.
    private int panelsOfA(int block) {
        return rowBlocks * depthBlocks == 1 && block > 0 ? 0 : ceilDiv(rows(block), ROWS);
    }

    /// The number of panels of B to pack: none if the block before had the same.
    private int panelsOfB(int block) {
        return depthBlocks == 1 && row(block) > 0 ? 0 : ceilDiv(columns(block), COLUMNS);
    }

    private void packA(int block, int panel) {
        int from = panel * ROWS;
        int count = Math.min(ROWS, rows(block) - from);
        int depth = depth(block);
        long target = packedA + (long) from * depth * Float.BYTES;
        int i = row(block) + from;
        int p = step(block);
        int width = height(count);
        if (transposeA) {
            Panel.copy(a + ((long) p * m + i) * Float.BYTES, m, count, depth, target, width);
        } else {
            Panel.transpose(a + ((long) i * k + p) * Float.BYTES, k, count, depth, target, width);
        }
    }

    private void packB(int block, int panel) {
        int from = panel * COLUMNS;
        int count = Math.min(COLUMNS, columns(block) - from);
        int depth = depth(block);
        long target = packedB + (long) from * depth * Float.BYTES;
        int j = column(block) + from;
        int p = step(block);
        if (transposeB) {
            Panel.transpose(b + ((long) j * k + p) * Float.BYTES, k, count, depth, target, COLUMNS);
        } else {
            Panel.copy(b + ((long) p * n + j) * Float.BYTES, n, count, depth, target, COLUMNS);
        }
    }

    /// Computes a tile of C over the depth of a block.
    private void multiply(int block, int task) {
        int across = ceilDiv(columns(block), taskColumns);
        int firstRow = task / across * taskRows;
        int firstColumn = task % across * taskColumns;
        int endRow = Math.min(firstRow + taskRows, rows(block));
        int endColumn = Math.min(firstColumn + taskColumns, columns(block));
        int depth = depth(block);
        long stride = (long) n * Float.BYTES;
        long origin = c + row(block) * stride + (long) column(block) * Float.BYTES;
        long sums = allSums + task * SUMS_BYTES;

        for (int p = 0; p < depth; p += DEPTH) {
            int steps = Math.min(DEPTH, depth - p);
            boolean first = step(block) + p == 0 && !accumulate;
            for (int j = firstColumn; j < endColumn; j += COLUMNS) {
                int columns = Math.min(COLUMNS, endColumn - j);
                long panelB = packedB + ((long) j * depth + (long) p * COLUMNS) * Float.BYTES;
                long start = bias == 0 ? ZEROS.address() : bias + (long) (column(block) + j) * Float.BYTES;
                for (int i = firstRow; i < endRow; i += ROWS) {
                    int rows = Math.min(ROWS, endRow - i);
                    int height = height(rows);
                    long panelA = packedA + ((long) i * depth + (long) p * height) * Float.BYTES;
                    long tile = origin + i * stride + (long) j * Float.BYTES;
                    long from = first ? start : tile;
                    long fromStride = first ? 0 : stride;
                    RegisterTile.multiply(height, panelA, panelB, steps, sums);
                    if (columns == COLUMNS) {
                        addTile(sums, from, fromStride, tile, stride, rows);
                    } else {
                        addEdge(sums, from, fromStride, tile, stride, rows, columns);
                    }
                }
            }
        }
    }

    /// The height of the register tile that computes this many rows.
    private static int height(int rows) {
        return rows > SHORT_ROWS ? ROWS : SHORT_ROWS;
    }

    /// Writes the sums of a register tile, plus what `from` holds, to C.
    private static void addTile(long sums, long from, long fromStride, long tile, long stride, int rows) {
        for (int i = 0; i < rows; i++) {
            for (long j = 0; j < SUMS_STRIDE; j += VECTOR_BYTES) {
                store(load(from + i * fromStride + j).add(load(sums + i * SUMS_STRIDE + j)), tile + i * stride + j);
            }
        }
    }

    /// The same for a tile that hangs over the right edge of C.
    private static void addEdge(long sums, long from, long fromStride, long tile, long stride, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                float sum = get(from + i * fromStride + j * 4L) + get(sums + i * SUMS_STRIDE + j * 4L);
                put(tile + i * stride + j * 4L, sum);
            }
        }
    }
}
