package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.TensorMap;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.ptx.KernelVariant;

/// [MatMul] for compute capability 9.0: products of warpgroups from tiles that tensor maps copy. The same sizes,
/// epilogues and results, up to the order of sums, if addresses and strides of A and B are multiples of 16 bytes. Where
/// those of C and of what is read or written beside it are, too, these move through tensor maps, else element by
/// element.
public final class WarpgroupMatMul implements GpuKernel {
    private static final int TILE_K = 64;
    private static final int THREADS = 384;
    /// Rows or columns of a box of a matrix whose rows are not along k.
    private static final int BOX = 64;
    /// What a warp stores of C at a time: 16 rows of 128 bytes.
    private static final int SLAB_ROWS = 16;
    private static final int SLAB_WIDTH = 128;
    private static final int WARPS = 8;
    /// A stage's two mbarriers.
    private static final int BARRIER_BYTES = 16;
    private static final int ALIGNMENT = 16;

    /// For brain floats: narrower pairs read more, and are for products whose sums take more registers.
    public static final List<Tile> TILES = List.of(Tile.N256, Tile.N128, Tile.N64, Tile.N256_PAIR, Tile.TURNS_PAIR);

    private final Launch product;
    /// Adds the parts of a split product; else null.
    private final Launch reduction;

    /// Rows and columns of a block's part of C, how many k tiles are under way, and the blocks of a cluster, which
    /// share those of B. Parts of 64 rows are computed in turns by two warpgroups, one of which multiplies while
    /// the other finishes what it multiplied.
    public enum Tile {
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

        public int m() {
            return m;
        }

        public int n() {
            return n;
        }

        public int stages() {
            return stages;
        }

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

        int sharedBytes() {
            return stages * ((m + n) * TILE_K * Short.BYTES + BARRIER_BYTES) + WARPS * buffers * SLAB_ROWS * SLAB_WIDTH;
        }
    }

    /// @param splits parts of k that are summed into fp32 workspace, and then added in order
    public record Plan(Tile tile, int splits) implements ProductPlan {
        /// k that start and end of an item are taken to last, if they are not beside another's products: an
        /// estimate.
        private static final int OVERHEAD = 96;

        /// Multiply-adds that a multiprocessor does while the second-level cache moves a byte of its: 2048 a clock
        /// against 36 bytes, at which a published product by the tile of N256 read it (LOG.md).
        private static final double PER_BYTE = 57;

        /// The plan of the least cost for a device.
        public static Plan choose(DeviceProperties device, Shape shape) {
            return cheapest(device, all(TILES, shape), shape);
        }

        /// The plan of the least cost for a tile, reckoned as [MatMulPlan#choose] does: clusters take items in
        /// rounds.
        public static Plan choose(DeviceProperties device, Tile tile, Shape shape) {
            return choose(device, List.of(tile), shape);
        }

        static Plan choose(DeviceProperties device, List<Tile> tiles, Shape shape) {
            return cheapest(device, all(tiles, shape), shape);
        }

        /// The plans that are worth timing, the one that [#choose] would take first.
        public static List<Plan> candidates(DeviceProperties device, Shape shape) {
            return candidates(device, TILES, shape);
        }

        static List<Plan> candidates(DeviceProperties device, List<Tile> tiles, Shape shape) {
            return ProductPlan.candidates(all(tiles, shape), plan -> plan.cost(device, shape));
        }

        private static List<Plan> all(List<Tile> tiles, Shape shape) {
            int most = Math.min(MatMulPlan.MOST_SPLITS, Math.ceilDiv(shape.k(), TILE_K));
            List<Plan> all = new ArrayList<>();
            for (Tile tile : tiles) {
                for (int splits = 1; splits <= most; splits++) {
                    Plan plan = new Plan(tile, splits);
                    if (plan.workspaceBytes(shape.m(), shape.n()) <= WORKSPACE_LIMIT) {
                        all.add(plan);
                    }
                }
            }
            return all;
        }

        private static Plan cheapest(DeviceProperties device, List<Plan> plans, Shape shape) {
            return Collections.min(plans, Comparator.comparingDouble(plan -> plan.cost(device, shape)));
        }

        @Override
        public String tileName() {
            return tile.name();
        }

        @Override
        public int tileM() {
            return tile.m;
        }

        @Override
        public int blocks() {
            return tile.blocks;
        }

        @Override
        public int tileN() {
            return tile.n;
        }

        @Override
        public int tileK() {
            return TILE_K;
        }

        @Override
        public int stages() {
            return tile.stages;
        }

        @Override
        public boolean overlaps() {
            return tile.turns();
        }

        /// C = epilogue(op(A) op(B)), as [MatMul] has it.
        ///
        /// @param workspace at least [#workspaceBytes], or null if that is 0
        public GpuKernel bind(
                KernelLibrary library,
                Shape shape,
                Matrix a,
                Matrix b,
                Matrix c,
                Epilogue epilogue,
                DeviceMemory workspace) {
            return new WarpgroupMatMul(library, this, shape, a, b, c, 1, epilogue, workspace);
        }

        /// In multiply-adds of a multiprocessor: the products of all rounds, or what all steps read and C takes where
        /// that takes longer; and the reduction.
        private double cost(DeviceProperties device, Shape shape) {
            int steps = Math.ceilDiv(Math.ceilDiv(shape.k(), TILE_K), splits);
            long items = items(tile, splits, shape);
            double rounds = Math.ceilDiv(items, clusters(device, tile));
            double ends = overlaps() ? 1 : rounds;
            double products = (rounds * steps * TILE_K + ends * OVERHEAD) * tile.m * tile.n;
            double bytes = (double) items * tile.blocks * (steps * tile.stepBytes() + tile.m * tile.n * Short.BYTES);
            double moved = bytes * PER_BYTE / device.multiprocessors();
            return Math.max(products, moved) + MatMulPlan.reductionCost(device, splits, shape.m(), shape.n());
        }

        @Override
        public long workspaceBytes(int m, int n) {
            return splits == 1 ? 0 : splits * MatMulPlan.partBytes(m, n);
        }
    }

    /// A product by a given plan.
    ///
    /// @param workspace at least [Plan#workspaceBytes], or null if that is 0
    /// @throws GpuException if a size is below 1, or a buffer is too small, not aligned, or written
    ///     while it is read
    public WarpgroupMatMul(
            KernelLibrary library,
            Plan plan,
            Shape shape,
            Matrix a,
            Matrix b,
            Matrix c,
            float alpha,
            Epilogue epilogue,
            DeviceMemory workspace) {
        this(library, plan, shape, operands(plan.tile, shape, a, b, c, epilogue), c, alpha, epilogue, workspace);
    }

    /// What is multiplied.
    ///
    /// @param variant of the kernel, by the name of its epilogue
    /// @param tileK k of a stage
    /// @param scales parameters of the kernel behind all others
    record Operands(
            TensorMap a, TensorMap b, Function<String, KernelVariant> variant, int tileK, List<DeviceMemory> scales) {}

    private static Operands operands(Tile tile, Shape shape, Matrix a, Matrix b, Matrix c, Epilogue epilogue) {
        MatMul.check(shape, a, b, c, epilogue);
        checkAligned(shape, "A", a);
        checkAligned(shape, "B", b);
        return new Operands(
                map(a, !shape.transposeA(), shape.m(), shape.k(), tile.m),
                map(b, shape.transposeB(), shape.n(), shape.k(), tile.n / tile.blocks),
                name -> variant(tile, shape.transposeA(), shape.transposeB(), name),
                TILE_K,
                List.of());
    }

    WarpgroupMatMul(
            KernelLibrary library,
            Plan plan,
            Shape shape,
            Operands operands,
            Matrix c,
            float alpha,
            Epilogue epilogue,
            DeviceMemory workspace) {
        int allSteps = Math.ceilDiv(shape.k(), operands.tileK);
        int steps = Math.ceilDiv(allSteps, plan.splits);
        int splits = Math.ceilDiv(allSteps, steps);
        if (splits == 1) {
            product = product(library, plan.tile, steps, splits, shape, operands, c, alpha, epilogue);
            reduction = null;
        } else {
            MatMul.checkWorkspace(shape, workspace, plan.workspaceBytes(shape.m(), shape.n()));
            Matrix parts = new Matrix(workspace, shape.n());
            product =
                    product(library, plan.tile, steps, splits, shape, operands, parts, 1, new Epilogue.StoreF32(null));
            reduction = MatMul.reduction(library, workspace, splits, shape, c, alpha, epilogue);
        }
    }

    private static Launch product(
            KernelLibrary library,
            Tile tile,
            int steps,
            int splits,
            Shape shape,
            Operands operands,
            Matrix c,
            float alpha,
            Epilogue epilogue) {
        DeviceProperties device = library.device();
        long items = items(tile, splits, shape);
        if (items > Integer.MAX_VALUE) {
            throw new GpuException(
                    "%s: a product has at most %,d tiles: it needs %,d".formatted(shape, Integer.MAX_VALUE, items));
        }
        Matrix extra = epilogue.extra() == null ? MatMul.NONE : epilogue.extra();
        int bytes = MatMul.elementBytes(epilogue);
        long splitBytes = MatMulPlan.partBytes(shape.m(), shape.n());
        boolean mapped = takes(c, bytes) && takes(extra, bytes);
        // Rows that are not aligned go element by element, and nobody looks at these maps.
        TensorMap mapOfC = mapped ? mapOfC(shape, c, bytes, splits, splitBytes) : operands.a;
        int rows = epilogue instanceof Epilogue.Gelu ? SLAB_ROWS : tile.m;
        TensorMap mapOfExtra = mapped && epilogue.extra() != null ? mapOfExtra(shape, extra, bytes, rows) : operands.a;
        List<Object> arguments = new ArrayList<>(List.of(
                operands.a,
                operands.b,
                mapOfC,
                mapOfExtra,
                mapped ? 1 : 0,
                c.memory(),
                shape.m(),
                shape.n(),
                shape.k(),
                c.stride(),
                alpha,
                epilogue.bias() == null ? MatMul.NONE.memory() : epilogue.bias(),
                extra.memory(),
                extra.stride(),
                splits,
                steps,
                splitBytes));
        arguments.addAll(operands.scales);
        return library.dependent(new Launch(
                library.function(operands.variant.apply(MatMul.name(epilogue)), "matmul"),
                Dim.of((int) Math.min(items, clusters(device, tile)) * tile.blocks),
                Dim.of(THREADS),
                tile.sharedBytes(),
                arguments.toArray()));
    }

    /// Clusters that a device holds at a time; one at least, so that it may be told that there is no room.
    private static int clusters(DeviceProperties device, Tile tile) {
        return Math.max(1, device.multiprocessors() / tile.blocks);
    }

    private static long items(Tile tile, int splits, Shape shape) {
        return (long) Math.ceilDiv(shape.m(), tile.m * tile.blocks) * Math.ceilDiv(shape.n(), tile.n) * splits;
    }

    /// The boxes of an operand.
    ///
    /// @param alongK whether rows are along k
    /// @param free its size along m or n
    private static TensorMap map(Matrix matrix, boolean alongK, int free, int k, int tile) {
        return TensorMap.matrix(
                TensorMap.Element.BFLOAT16,
                matrix.memory(),
                alongK ? free : k,
                alongK ? k : free,
                (long) matrix.stride() * Short.BYTES,
                alongK ? tile : TILE_K,
                alongK ? TILE_K : BOX,
                TensorMap.Swizzle.BYTES_128);
    }

    /// C of all splits, in slabs.
    private static TensorMap mapOfC(Shape shape, Matrix c, int bytes, int splits, long splitBytes) {
        return new TensorMap(
                element(bytes),
                c.memory().address(),
                List.of((long) shape.n(), (long) shape.m(), (long) splits),
                List.of((long) c.stride() * bytes, splitBytes),
                List.of(SLAB_WIDTH / bytes, SLAB_ROWS, 1),
                TensorMap.Swizzle.BYTES_128);
    }

    private static TensorMap mapOfExtra(Shape shape, Matrix extra, int bytes, int rows) {
        return TensorMap.matrix(
                element(bytes),
                extra.memory(),
                shape.m(),
                shape.n(),
                (long) extra.stride() * bytes,
                rows,
                SLAB_WIDTH / bytes,
                TensorMap.Swizzle.BYTES_128);
    }

    private static TensorMap.Element element(int bytes) {
        return bytes == Float.BYTES ? TensorMap.Element.FLOAT32 : TensorMap.Element.BFLOAT16;
    }

    /// Whether a matrix is aligned as the kernels need A and B to be.
    public static boolean takes(Matrix matrix) {
        return takes(matrix, Short.BYTES);
    }

    private static boolean takes(Matrix matrix, int elementBytes) {
        return (matrix.memory().address() | (long) matrix.stride() * elementBytes) % ALIGNMENT == 0;
    }

    private static void checkAligned(Shape shape, String name, Matrix matrix) {
        if (!takes(matrix)) {
            throw new GpuException("%s: address and stride of %s must be multiples of %d bytes: got 0x%x and %,d"
                    .formatted(
                            shape, name, ALIGNMENT, matrix.memory().address(), (long) matrix.stride() * Short.BYTES));
        }
    }

    @Override
    public void launch(GpuStream stream) {
        stream.launch(product);
        if (reduction != null) {
            stream.launch(reduction);
        }
    }

    /// All kernels of the family, but for the reduction of split products, which is [MatMul]'s.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (String epilogue : MatMul.EPILOGUES) {
            for (boolean transposeA : new boolean[] {false, true}) {
                for (boolean transposeB : new boolean[] {false, true}) {
                    for (Tile tile : TILES) {
                        variants.add(variant(tile, transposeA, transposeB, epilogue));
                    }
                }
            }
        }
        return variants;
    }

    private static KernelVariant variant(Tile tile, boolean transposeA, boolean transposeB, String epilogue) {
        return KernelVariant.of(
                "matmul.sm_90a",
                "tile_m",
                tile.m,
                "tile_n",
                tile.n,
                "stages",
                tile.stages,
                "blocks",
                tile.blocks,
                "buffers",
                tile.buffers,
                "transpose_a",
                transposeA,
                "transpose_b",
                transposeB,
                "epilogue",
                epilogue);
    }
}
