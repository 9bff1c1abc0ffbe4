package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.TensorMap;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupMatMul.Operands;
import org.quern.kernels.cuda.WarpgroupMatMulPlan.Tile;
import org.quern.ptx.KernelVariant;

/// C = epilogue(alpha A B) of floats of 8 bits for compute capability 9.0, accumulated in fp32: [WarpgroupMatMul]
/// with half the bytes. A is [m, k]; B is [k, n] and stored as [n, k], as tensor cores multiply such floats along k
/// only.
public final class Fp8MatMul {
    /// Wider ones have no registers for the sums of a k tile beside those of all.
    public static final List<Tile> TILES = List.of(Tile.N192_PAIR, Tile.N128, Tile.N64);

    /// Those of a step have one scale.
    private static final int TILE_K = Fp8Matrix.BLOCK;

    /// A's and B's: forward passes, and gradients as A or B.
    private static final List<List<Fp8Type>> TYPES = List.of(
            List.of(Fp8Type.E4M3, Fp8Type.E4M3),
            List.of(Fp8Type.E5M2, Fp8Type.E4M3),
            List.of(Fp8Type.E4M3, Fp8Type.E5M2));

    private Fp8MatMul() {}

    /// @param tile one of [#TILES]
    /// @param splits parts of k that are summed into fp32 workspace, and then added in order
    public record Plan(Tile tile, int splits) implements ProductPlan {
        private static Plan of(WarpgroupMatMulPlan plan) {
            return new Plan(plan.tile(), plan.splits());
        }

        /// The plan of the least cost.
        public static Plan choose(DeviceProperties device, int m, int n, int k) {
            return of(WarpgroupMatMulPlan.choose(device, TILES, half(m, n, k)));
        }

        /// The plan of the least cost for a tile.
        public static Plan choose(DeviceProperties device, Tile tile, int m, int n, int k) {
            return of(WarpgroupMatMulPlan.choose(device, tile, half(m, n, k)));
        }

        /// The plans that are worth timing, the one that [#choose] would take first.
        public static List<Plan> candidates(DeviceProperties device, int m, int n, int k) {
            return WarpgroupMatMulPlan.candidates(device, TILES, half(m, n, k)).stream()
                    .map(Plan::of)
                    .toList();
        }

        /// A product takes as long as this one of brain floats, whose tiles have as many bytes.
        private static Shape half(int m, int n, int k) {
            return new Shape(m, n, Math.ceilDiv(k, 2), false, true);
        }

        private WarpgroupMatMulPlan ofBrainFloats() {
            return new WarpgroupMatMulPlan(tile, splits);
        }

        @Override
        public int tileK() {
            return TILE_K;
        }

        @Override
        public boolean overlaps() {
            return false;
        }
    }

    /// A product by a given plan.
    ///
    /// @param workspace at least [Plan#workspaceBytes], or null if that is 0
    /// @throws GpuException if a size is below 1, or a buffer is too small, not aligned, or written
    ///     while it is read
    public static GpuKernel of(
            KernelLibrary library,
            Plan plan,
            int m,
            int n,
            int k,
            Fp8Matrix a,
            Fp8Matrix b,
            Matrix c,
            float alpha,
            Epilogue epilogue,
            DeviceMemory workspace) {
        Shape shape = new Shape(m, n, k, false, true);
        Gemm gemm = new Gemm(shape, values(a), values(b), c, alpha, epilogue);
        gemm.check(1);
        checkScales(gemm, "A", a, m);
        checkScales(gemm, "B", b, n);
        String types = name(List.of(a.type(), b.type()));
        Operands operands = new Operands(
                map(a, m, k, plan.tile().m()),
                map(b, n, k, plan.tile().n() / plan.tile().blocks()),
                name -> variant(plan.tile(), types, name),
                TILE_K,
                List.of(a.scales(), b.scales()));
        return new WarpgroupMatMul(library, plan.ofBrainFloats(), gemm, operands, workspace);
    }

    private static Matrix values(Fp8Matrix matrix) {
        return new Matrix(matrix.values(), matrix.stride());
    }

    private static void checkScales(Gemm gemm, String name, Fp8Matrix matrix, int rows) {
        long bytes = Fp8Matrix.scales(rows, gemm.shape().k()) * Float.BYTES;
        gemm.checkBuffer("the scales of " + name, matrix.scales(), bytes, Float.BYTES);
    }

    private static TensorMap map(Fp8Matrix matrix, int rows, int k, int tile) {
        return TensorMap.matrix(
                TensorMap.Element.UINT8,
                matrix.values(),
                rows,
                k,
                matrix.stride(),
                tile,
                TILE_K,
                TensorMap.Swizzle.BYTES_128);
    }

    private static String name(List<Fp8Type> types) {
        if (!TYPES.contains(types)) {
            throw new GpuException(
                    "there is no product of %s and %s in fp8: gradients, in e5m2, are one operand at most"
                            .formatted(types.getFirst().text(), types.getLast().text()));
        }
        return types.getFirst().text() + "." + types.getLast().text();
    }

    /// All kernels of the family, but for the reduction of split products, which is [MatMul]'s.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (List<Fp8Type> types : TYPES) {
            for (String epilogue : MatMul.EPILOGUES) {
                for (Tile tile : TILES) {
                    variants.add(variant(tile, name(types), epilogue));
                }
            }
        }
        return variants;
    }

    private static KernelVariant variant(Tile tile, String types, String epilogue) {
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
                false,
                "transpose_b",
                true,
                "epilogue",
                epilogue,
                "fp8",
                types);
    }
}
