package org.quern.kernels.cpu;

import static java.lang.Math.ceilDiv;
import static org.quern.kernels.cpu.RegisterTile.COLUMNS;
import static org.quern.kernels.cpu.RegisterTile.ROWS;
import static org.quern.kernels.cpu.RegisterTile.SHORT_ROWS;

/// A product with packed operands.
///
/// Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), with the outer loops as phases.
/// The product is cut into blocks of at most `BLOCK_ROWS` x `BLOCK_COLUMNS` x `BLOCK_DEPTH`. A block takes two phases:
/// its parts of A and B are packed into panels in the order in which `RegisterTile` reads them; then tasks multiply
/// panels, each for its own part of C.
///
/// An element of C is the sum, in order, of partial sums over `DEPTH` consecutive k, each of them a chain of fused
/// multiply-adds from zero. So it has the same bits on any number of threads, with vectors of any width, and whatever
/// other rows and columns are computed beside it.
final class PackedProduct implements Kernel {
    /// The length of a partial sum. The longer, the fewer are added to C; the shorter, the more of a panel of B
    /// stays in the first-level cache, and of a task's part of A in the second.
    static final int DEPTH = 512;

    private static final int BLOCK_ROWS = 1056;
    private static final int BLOCK_COLUMNS = 2048;
    private static final int BLOCK_DEPTH = 2 * DEPTH;

    /// The part of C that a task computes is at most this large.
    private static final int TASK_ROWS = 132;

    private static final int TASK_COLUMNS = 128;

    private static final long ALIGNMENT = 64;
    private static final long SCRATCH_BYTES = Math.max(ROWS * COLUMNS * 4L, Panel.SCRATCH_BYTES);

    /// How a product of a certain size is cut: blocks, tasks and the workspace of a block.
    private record Cut(int rows, int columns, int depth, int taskRows, int taskColumns) {
        static Cut of(int m, int n, int k) {
            int rows = part(m, BLOCK_ROWS, ROWS);
            int columns = part(n, BLOCK_COLUMNS, COLUMNS);
            int depth = Math.min(k, part(k, BLOCK_DEPTH, DEPTH));
            return new Cut(rows, columns, depth, part(rows, TASK_ROWS, ROWS), part(columns, TASK_COLUMNS, COLUMNS));
        }

        /// The size of the parts, a multiple of `unit`, when `length` is cut into as few as `limit` allows, evenly.
        private static int part(int length, int limit, int unit) {
            return ceilDiv(ceilDiv(length, ceilDiv(length, limit)), unit) * unit;
        }

        long bytesOfA() {
            return ceilDiv(rows / ROWS * panelABytes(depth), ALIGNMENT) * ALIGNMENT;
        }

        long bytesOfB() {
            return columns / COLUMNS * panelBBytes(depth);
        }

        long bytesOfScratch() {
            int packing = rows / ROWS + columns / COLUMNS;
            int multiplying = ceilDiv(rows, taskRows) * ceilDiv(columns, taskColumns);
            return SCRATCH_BYTES * Math.max(packing, multiplying);
        }
    }

    private final Product product;
    private final Cut cut;
    private final int rowBlocks;
    private final int columnBlocks;
    private final int depthBlocks;
    private final long packedA;
    private final long packedB;
    private final long scratch;

    /// @param workspace address of `workspaceBytes` bytes
    PackedProduct(Product product, long workspace) {
        this.product = product;
        cut = Cut.of(product.m(), product.n(), product.k());
        rowBlocks = ceilDiv(product.m(), cut.rows);
        columnBlocks = ceilDiv(product.n(), cut.columns);
        depthBlocks = ceilDiv(product.k(), cut.depth);
        packedA = ceilDiv(workspace, ALIGNMENT) * ALIGNMENT;
        packedB = packedA + cut.bytesOfA();
        scratch = packedB + cut.bytesOfB();
    }

    static long workspaceBytes(int m, int n, int k) {
        Cut cut = Cut.of(m, n, k);
        return ALIGNMENT + cut.bytesOfA() + cut.bytesOfB() + cut.bytesOfScratch();
    }

    private static long panelABytes(int depth) {
        return ((long) ROWS * depth + Panel.OVERRUN) * Float.BYTES;
    }

    private static long panelBBytes(int depth) {
        return (long) COLUMNS * depth * Float.BYTES;
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
        return ceilDiv(rows(block), cut.taskRows) * ceilDiv(columns(block), cut.taskColumns);
    }

    @Override
    public void run(int phase, int task) {
        int block = phase / 2;
        long taskScratch = scratch + task * SCRATCH_BYTES;
        if (!isPacking(phase)) {
            multiply(block, task, taskScratch);
        } else if (task < panelsOfA(block)) {
            packA(block, task, taskScratch);
        } else {
            packB(block, task - panelsOfA(block), taskScratch);
        }
    }

    private static boolean isPacking(int phase) {
        return phase % 2 == 0;
    }

    // Blocks follow each other by depth, then by rows, then by columns.

    private int row(int block) {
        return block / depthBlocks % rowBlocks * cut.rows;
    }

    private int rows(int block) {
        return Math.min(cut.rows, product.m() - row(block));
    }

    private int column(int block) {
        return block / (depthBlocks * rowBlocks) * cut.columns;
    }

    private int columns(int block) {
        return Math.min(cut.columns, product.n() - column(block));
    }

    private int step(int block) {
        return block % depthBlocks * cut.depth;
    }

    private int depth(int block) {
        return Math.min(cut.depth, product.k() - step(block));
    }

    /// The number of panels of A to pack: none if the block before had the same.
    private int panelsOfA(int block) {
        boolean packed = block > 0 && rowBlocks * depthBlocks == 1;
        return packed ? 0 : ceilDiv(rows(block), ROWS);
    }

    /// The number of panels of B to pack: none if the block before had the same.
    private int panelsOfB(int block) {
        boolean packed = row(block) > 0 && depthBlocks == 1;
        return packed ? 0 : ceilDiv(columns(block), COLUMNS);
    }

    private void packA(int block, int index, long taskScratch) {
        int depth = depth(block);
        int i = index * ROWS;
        long panel = packedA + index * panelABytes(depth);
        product.packA(row(block) + i, step(block), depth, panel, height(rows(block) - i), taskScratch);
    }

    private void packB(int block, int index, long taskScratch) {
        int depth = depth(block);
        long panel = packedB + index * panelBBytes(depth);
        product.packB(column(block) + index * COLUMNS, step(block), depth, panel, COLUMNS, taskScratch);
    }

    /// Computes a part of C over the depth of a block.
    private void multiply(int block, int task, long sums) {
        int across = ceilDiv(columns(block), cut.taskColumns);
        int firstRow = task / across * cut.taskRows;
        int firstColumn = task % across * cut.taskColumns;
        int endRow = Math.min(firstRow + cut.taskRows, rows(block));
        int endColumn = Math.min(firstColumn + cut.taskColumns, columns(block));
        int depth = depth(block);
        for (int p = 0; p < depth; p += DEPTH) {
            int steps = Math.min(DEPTH, depth - p);
            boolean first = step(block) + p == 0;
            for (int j = firstColumn; j < endColumn; j += COLUMNS) {
                long panelB = packedB + j / COLUMNS * panelBBytes(depth) + (long) p * COLUMNS * Float.BYTES;
                for (int i = firstRow; i < endRow; i += ROWS) {
                    int height = height(endRow - i);
                    long panelA = packedA + i / ROWS * panelABytes(depth) + (long) p * height * Float.BYTES;
                    RegisterTile.multiply(height, panelA, panelB, steps, sums);
                    product.add(
                            sums,
                            COLUMNS,
                            row(block) + i,
                            Math.min(ROWS, endRow - i),
                            column(block) + j,
                            Math.min(COLUMNS, endColumn - j),
                            first);
                }
            }
        }
    }

    /// The height of the register tile that computes this many rows.
    private static int height(int rows) {
        return rows > SHORT_ROWS ? ROWS : SHORT_ROWS;
    }
}
