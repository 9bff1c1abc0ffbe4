package org.quern.kernels.check;

/// Sizes for the kernels that go over all elements of tensors, tile by tile (`elements` in memory.ftl).
final class Sizes {
    /// Vectors of 8 or 4 elements and nothing else; in the partial tile more of them than a block has threads, whatever
    /// the tile.
    static final int VECTORS = 7_816;

    private static final int TILES = 9;
    private static final int REST = 3431;

    private Sizes() {}

    /// With grids for one multiprocessor each of 8 blocks has a tile of so many elements or of less, some a
    /// second one; a partial tile follows with more vectors than a block has threads, and elements that
    /// fill no vector.
    ///
    /// @param largestTile 256 threads times elements of an access times accesses: a power of two, at least 512
    static int manyTiles(int largestTile) {
        return TILES * largestTile + REST % largestTile;
    }
}
