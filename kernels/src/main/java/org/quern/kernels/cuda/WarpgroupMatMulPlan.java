package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.cuda.MatMul.Shape;

/// How [WarpgroupMatMul] multiplies.
///
/// @param splits parts of k that are summed into fp32 workspace, and then added in order
public record WarpgroupMatMulPlan(Tile tile, int splits) implements ProductPlan {
    /// k of a step.
    static final int TILE_K = 64;

    /// For brain floats: narrower pairs read more, and are for products whose sums take more registers.
    public static final List<Tile> TILES = List.of(Tile.N256, Tile.N128, Tile.N64, Tile.N256_PAIR, Tile.TURNS_PAIR);

    /// k that start and end of an item are taken to last, if they are not beside another's products: an
    /// estimate.
    private static final int OVERHEAD = 96;

    /// Multiply-adds that a multiprocessor does while the second-level cache moves a byte of its: 2048 a clock
    /// against 36 bytes, at which a published product by the tile of N256 read it (LOG.md).
    private static final double PER_BYTE = 57;

    /// Rows and columns of a block's part of C, how many k tiles are under way, and the blocks of a cluster, which
    /// share those of B. Parts of 64 rows are computed in turns by two warpgroups, one of which multiplies while
    /// the other finishes what it multiplied.
    public enum Tile implements ProductTile {
        N256(128, 256, 4, 1, 2),
        N128(128, 128, 6, 1, 2),
        N64(128, 64, 8, 1, 2),
        N256_PAIR(128, 256, 4, 2, 2),
        N192_PAIR(128, 192, 5, 2, 1),
        TURNS_PAIR(64, 256, 5, 2, 1);

        private final int m;
        private final int n;
        private final int stages;
        private final int blocks;
        /// What a warp may have of C in shared memory, in slabs: two where there is room.
        private final int buffers;

        Tile(int m, int n, int stages, int blocks, int buffers) {
            this.m = m;
            this.n = n;
            this.stages = stages;
            this.blocks = blocks;
            this.buffers = buffers;
        }

        @Override
        public int m() {
            return m;
        }

        @Override
        public int n() {
            return n;
        }

        @Override
        public int stages() {
            return stages;
        }

        @Override
        public int blocks() {
            return blocks;
        }

        int buffers() {
            return buffers;
        }

        /// Whether a warpgroup has a tile of its own.
        private boolean turns() {
            return m == 64;
        }

        /// What a block's step along k reads of the second-level cache: of B, which the cluster shares, its part.
        private int stepBytes() {
            return (m + n / blocks) * TILE_K * Short.BYTES;
        }

        /// Clusters that a device holds at a time; one at least, so that it may be told that there is no room.
        int clusters(DeviceProperties device) {
            return Math.max(1, device.multiprocessors() / blocks);
        }

        /// What clusters take in turns: their parts of C, for each part of k.
        long items(Shape shape, int splits) {
            return (long) Math.ceilDiv(shape.m(), m * blocks) * Math.ceilDiv(shape.n(), n) * splits;
        }
    }

    /// The plan of the least cost for a device.
    public static WarpgroupMatMulPlan choose(DeviceProperties device, Shape shape) {
        return cheapest(device, all(TILES, shape), shape);
    }

    /// The plan of the least cost for a tile, reckoned as [MatMulPlan#choose] does: clusters take items in
    /// rounds.
    public static WarpgroupMatMulPlan choose(DeviceProperties device, Tile tile, Shape shape) {
        return choose(device, List.of(tile), shape);
    }

    static WarpgroupMatMulPlan choose(DeviceProperties device, List<Tile> tiles, Shape shape) {
        return cheapest(device, all(tiles, shape), shape);
    }

    /// The plans that are worth timing, the one that [#choose] would take first.
    public static List<WarpgroupMatMulPlan> candidates(DeviceProperties device, Shape shape) {
        return candidates(device, TILES, shape);
    }

    static List<WarpgroupMatMulPlan> candidates(DeviceProperties device, List<Tile> tiles, Shape shape) {
        return ProductPlan.candidates(all(tiles, shape), plan -> plan.cost(device, shape));
    }

    private static List<WarpgroupMatMulPlan> all(List<Tile> tiles, Shape shape) {
        int most = Math.min(MatMulPlan.MOST_SPLITS, Math.ceilDiv(shape.k(), TILE_K));
        List<WarpgroupMatMulPlan> all = new ArrayList<>();
        for (Tile tile : tiles) {
            for (int splits = 1; splits <= most; splits++) {
                WarpgroupMatMulPlan plan = new WarpgroupMatMulPlan(tile, splits);
                if (plan.workspaceBytes(shape.m(), shape.n()) <= WORKSPACE_LIMIT) {
                    all.add(plan);
                }
            }
        }
        return all;
    }

    private static WarpgroupMatMulPlan cheapest(DeviceProperties device, List<WarpgroupMatMulPlan> plans, Shape shape) {
        return Collections.min(plans, Comparator.comparingDouble(plan -> plan.cost(device, shape)));
    }

    @Override
    public int tileK() {
        return TILE_K;
    }

    @Override
    public boolean overlaps() {
        return tile.turns();
    }

    /// In multiply-adds of a multiprocessor: the products of all rounds, or what all steps read and C takes where
    /// that takes longer; and the reduction.
    private double cost(DeviceProperties device, Shape shape) {
        int steps = Math.ceilDiv(Math.ceilDiv(shape.k(), TILE_K), splits);
        long items = tile.items(shape, splits);
        double rounds = Math.ceilDiv(items, tile.clusters(device));
        double ends = overlaps() ? 1 : rounds;
        double products = (rounds * steps * TILE_K + ends * OVERHEAD) * tile.m * tile.n;
        double bytes = (double) items * tile.blocks * (steps * tile.stepBytes() + tile.m * tile.n * Short.BYTES);
        double moved = bytes * PER_BYTE / device.multiprocessors();
        return Math.max(products, moved) + MatMulPlan.reductionCost(device, splits, shape.m(), shape.n());
    }
}
