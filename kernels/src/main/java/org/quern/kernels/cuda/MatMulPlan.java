package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.Launch;
import org.quern.kernels.cuda.MatMul.Shape;

/// How a matrix product is computed: by which tile, and k split into how many parts.
///
/// @param splits parts of k that are summed by different blocks into fp32 workspace, and then added in order
public record MatMulPlan(Tile tile, int splits) implements ProductPlan {
    static final int MOST_SPLITS = 32;

    /// Multiply-adds that a multiprocessor does in the time in which it moves a float to or from memory: about
    /// 1000 a clock against 20 bytes a clock.
    private static final double PER_FLOAT = 200;

    /// Multiply-adds that a multiprocessor does in the time that one more launch takes.
    private static final double PER_LAUNCH = 3e6;

    /// Shared memory that the system takes of each block.
    private static final int SYSTEM_BYTES = 1024;

    /// Parts of C that blocks compute, and how.
    public enum Tile implements ProductTile {
        /// 8 warps of 64 x 64.
        LARGE(128, 256, 32, 2, 4, 4, 1, 1.0, 256),
        /// 4 warps of 64 x 64, two blocks on a multiprocessor.
        MEDIUM(128, 128, 32, 2, 2, 4, 2, 0.95, 128),
        /// 4 warps of 32 x 32, for small products and for rows that are not aligned to 16 bytes.
        SMALL(64, 64, 64, 2, 2, 3, 4, 0.6, 64);

        final int m;
        final int n;
        final int k;
        final int warpsM;
        final int warpsN;
        final int stages;
        final int resident;
        /// Part of the tensor cores' rate that the main loop is taken to reach, relative to the best tile: an
        /// estimate.
        private final double efficiency;
        /// Steps along k that start and end of a block are taken to last: an estimate.
        private final int overhead;

        Tile(int m, int n, int k, int warpsM, int warpsN, int stages, int resident, double efficiency, int overhead) {
            this.m = m;
            this.n = n;
            this.k = k;
            this.warpsM = warpsM;
            this.warpsN = warpsN;
            this.stages = stages;
            this.resident = resident;
            this.efficiency = efficiency;
            this.overhead = overhead;
        }

        @Override
        public int m() {
            return m;
        }

        @Override
        public int n() {
            return n;
        }

        public int k() {
            return k;
        }

        @Override
        public int stages() {
            return stages;
        }

        @Override
        public int blocks() {
            return 1;
        }

        int threads() {
            return 32 * warpsM * warpsN;
        }

        int sharedBytes() {
            return stages * (m + n) * k * Short.BYTES;
        }

        /// Part of its efficiency that is left where shared memory has no room for the 8 warps that hide each
        /// other's waits: an estimate.
        private double busy(DeviceProperties device) {
            int blocks = Math.min(resident, device.sharedBytesPerMultiprocessor() / (sharedBytes() + SYSTEM_BYTES));
            return Math.min(1, 0.5 + blocks * warpsM * warpsN / 16.0);
        }

        /// Tiles of an [m, n] matrix.
        long tiles(int m, int n) {
            return (long) Math.ceilDiv(m, this.m) * Math.ceilDiv(n, this.n);
        }
    }

    public MatMulPlan {
        if (splits < 1 || splits > Launch.MOST_BLOCKS_YZ) {
            throw new IllegalArgumentException("splits must be from 1 to " + Launch.MOST_BLOCKS_YZ + ": got " + splits);
        }
    }

    /// The plan for an op(A) of [m, k] and an op(B) of [k, n] on a device: that of the least cost, where
    ///
    /// - blocks, of tiles times splits, run in rounds of one a multiprocessor; a round lasts
    ///   tile m n (k / splits + overhead) / efficiency multiply-adds, more if too few warps fit at a time;
    /// - more than one split cost a launch more, and each part is written and read once.
    ///
    /// Efficiency and overhead are estimates.
    public static MatMulPlan choose(DeviceProperties device, int m, int n, int k) {
        MatMulPlan best = null;
        double least = Double.POSITIVE_INFINITY;
        for (MatMulPlan plan : all(device, m, n, k)) {
            double cost = plan.cost(device, m, n, k);
            if (cost < least) {
                least = cost;
                best = plan;
            }
        }
        return best;
    }

    /// The plans that are worth timing, the one that [#choose] would take first.
    public static List<MatMulPlan> candidates(DeviceProperties device, Shape shape) {
        return ProductPlan.candidates(
                all(device, shape.m(), shape.n(), shape.k()),
                plan -> plan.cost(device, shape.m(), shape.n(), shape.k()));
    }

    private static List<MatMulPlan> all(DeviceProperties device, int m, int n, int k) {
        List<MatMulPlan> all = new ArrayList<>();
        for (Tile tile : Tile.values()) {
            int most = Math.min(MOST_SPLITS, Math.ceilDiv(k, tile.k));
            for (int splits = 1; splits <= most && tile.sharedBytes() <= device.sharedBytesPerBlock(); splits++) {
                MatMulPlan plan = new MatMulPlan(tile, splits);
                if (plan.workspaceBytes(m, n) <= WORKSPACE_LIMIT) {
                    all.add(plan);
                }
            }
        }
        return all.isEmpty() ? List.of(new MatMulPlan(Tile.SMALL, 1)) : all;
    }

    @Override
    public int tileK() {
        return tile.k;
    }

    @Override
    public boolean overlaps() {
        return tile.resident > 1;
    }

    private double cost(DeviceProperties device, int m, int n, int k) {
        int multiprocessors = device.multiprocessors();
        double rounds = Math.ceilDiv(tile.tiles(m, n) * splits, multiprocessors);
        int steps = Math.ceilDiv(Math.ceilDiv(k, tile.k), splits) * tile.k;
        double block = (double) tile.m * tile.n * (steps + tile.overhead) / (tile.efficiency * tile.busy(device));
        return rounds * block + reductionCost(device, splits, m, n);
    }

    /// What adding the parts of a split product costs, in multiply-adds of a multiprocessor.
    static double reductionCost(DeviceProperties device, int splits, int m, int n) {
        return splits == 1 ? 0 : PER_LAUNCH + (2.0 * splits + 1) * m * n * PER_FLOAT / device.multiprocessors();
    }
}
