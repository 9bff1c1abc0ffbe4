package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.TensorMap;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupMatMulPlan.Tile;
import org.quern.ptx.KernelVariant;

/// [MatMul] for compute capability 9.0: products of warpgroups from tiles that tensor maps copy. The same sizes,
/// epilogues and results, up to the order of sums, if addresses and strides of A and B are multiples of 16 bytes. Where
/// those of C and of what is read or written beside it are, too, these move through tensor maps, else element by
/// element.
public final class WarpgroupMatMul implements GpuKernel {
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

    private final Launch product;
    /// Adds the parts of a split product; else null.
    private final Launch reduction;

    /// A product by a given plan.
    ///
    /// @param workspace at least [WarpgroupMatMulPlan#workspaceBytes], or null if that is 0
    /// @throws GpuException if a size is below 1, or a buffer is too small, not aligned, or written
    ///     while it is read
    public WarpgroupMatMul(KernelLibrary library, WarpgroupMatMulPlan plan, Gemm gemm, DeviceMemory workspace) {
        this(library, plan, gemm, operands(plan.tile(), gemm), workspace);
    }

    /// What is multiplied, as the kernels for its elements take it.
    ///
    /// @param variant of the kernel, by the name of its epilogue
    /// @param tileK k of a stage
    /// @param scales parameters of the kernel behind all others
    record Operands(
            TensorMap a, TensorMap b, Function<String, KernelVariant> variant, int tileK, List<DeviceMemory> scales) {}

    private static Operands operands(Tile tile, Gemm gemm) {
        gemm.check(Short.BYTES);
        Shape shape = gemm.shape();
        checkAligned(shape, "A", gemm.a());
        checkAligned(shape, "B", gemm.b());
        return new Operands(
                map(gemm.a(), !shape.transposeA(), shape.m(), shape.k(), tile.m()),
                map(gemm.b(), shape.transposeB(), shape.n(), shape.k(), tile.n() / tile.blocks()),
                name -> variant(tile, shape.transposeA(), shape.transposeB(), name),
                WarpgroupMatMulPlan.TILE_K,
                List.of());
    }

    /// @param gemm checked
    WarpgroupMatMul(
            KernelLibrary library, WarpgroupMatMulPlan plan, Gemm gemm, Operands operands, DeviceMemory workspace) {
        Shape shape = gemm.shape();
        int allSteps = Math.ceilDiv(shape.k(), operands.tileK);
        int steps = Math.ceilDiv(allSteps, plan.splits());
        int splits = Math.ceilDiv(allSteps, steps);
        if (splits == 1) {
            product = product(library, plan.tile(), splits, steps, gemm, operands);
            reduction = null;
        } else {
            gemm.checkWorkspace(workspace, plan.workspaceBytes(shape.m(), shape.n()));
            product = product(library, plan.tile(), splits, steps, gemm.parts(workspace), operands);
            reduction = MatMul.reduction(library, workspace, splits, gemm);
        }
    }

    private static Launch product(
            KernelLibrary library, Tile tile, int splits, int steps, Gemm gemm, Operands operands) {
        Shape shape = gemm.shape();
        long items = tile.items(shape, splits);
        if (items > Integer.MAX_VALUE) {
            throw new GpuException(
                    "%s: a product has at most %,d tiles: it needs %,d".formatted(shape, Integer.MAX_VALUE, items));
        }
        Matrix c = gemm.c();
        Matrix extra = gemm.extra();
        int bytes = gemm.elementBytes();
        long splitBytes = ProductPlan.partBytes(shape.m(), shape.n());
        boolean mapped = takes(c, bytes) && takes(extra, bytes);
        // Rows that are not aligned go element by element, and nobody looks at these maps.
        TensorMap mapOfC = mapped ? mapOfC(shape, c, bytes, splits, splitBytes) : operands.a;
        int rows = gemm.epilogue() instanceof Epilogue.Gelu ? SLAB_ROWS : tile.m();
        boolean hasExtra = gemm.epilogue().extra() != null;
        TensorMap mapOfExtra = mapped && hasExtra ? mapOfExtra(shape, extra, bytes, rows) : operands.a;
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
                gemm.alpha(),
                gemm.bias(),
                extra.memory(),
                extra.stride(),
                splits,
                steps,
                splitBytes));
        arguments.addAll(operands.scales);
        return library.dependent(new Launch(
                library.function(operands.variant.apply(MatMul.name(gemm.epilogue())), "matmul"),
                Dim.of((int) Math.min(items, tile.clusters(library.device())) * tile.blocks()),
                Dim.of(THREADS),
                sharedBytes(tile),
                arguments.toArray()));
    }

    private static int sharedBytes(Tile tile) {
        int stage = (tile.m() + tile.n()) * WarpgroupMatMulPlan.TILE_K * Short.BYTES + BARRIER_BYTES;
        return tile.stages() * stage + WARPS * tile.buffers() * SLAB_ROWS * SLAB_WIDTH;
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
                alongK ? tile : WarpgroupMatMulPlan.TILE_K,
                alongK ? WarpgroupMatMulPlan.TILE_K : BOX,
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
                    for (Tile tile : WarpgroupMatMulPlan.TILES) {
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
                tile.m(),
                "tile_n",
                tile.n(),
                "stages",
                tile.stages(),
                "blocks",
                tile.blocks(),
                "buffers",
                tile.buffers(),
                "transpose_a",
                transposeA,
                "transpose_b",
                transposeB,
                "epilogue",
                epilogue);
    }
}
