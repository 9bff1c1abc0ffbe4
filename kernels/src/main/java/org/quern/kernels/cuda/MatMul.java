package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.kernels.cuda.MatMulPlan.Tile;
import org.quern.ptx.KernelVariant;

/// C = epilogue(alpha op(A) op(B)) of brain floats, accumulated in fp32; op(A) is [m, k], op(B) is [k, n], C
/// is [m, n].
///
/// Any sizes from 1 on. Matrices are row-major with any stride: slices of columns are matrices too. Products are
/// fastest if addresses and strides of A and B are multiples of 16 bytes; pad the stride of rows like 50257's.
public final class MatMul implements GpuKernel {
    private static final int ACCESS_BYTES = 16;
    /// Brain floats in the widest access.
    private static final int WIDEST = ACCESS_BYTES / Short.BYTES;
    /// The tile that has kernels for narrower ones.
    private static final Tile NARROW_TILE = Tile.SMALL;

    private static final int REDUCTION_THREADS = 256;
    /// Neighbours that a thread of the reduction finishes, where alignment allows it.
    private static final int REDUCTION_WIDTH = 4;

    static final List<String> EPILOGUES = List.of("bf16", "f32", "gelu", "gelu_gradient");

    private final Launch product;
    /// Adds the parts of a split product; else null.
    private final Launch reduction;

    /// What is multiplied.
    ///
    /// @param transposeA whether A is stored as [k, m] instead of [m, k]
    /// @param transposeB whether B is stored as [n, k] instead of [k, n]
    public record Shape(int m, int n, int k, boolean transposeA, boolean transposeB) {
        @Override
        public String toString() {
            return "matmul %s%s %dx%dx%d".formatted(transposeA ? "t" : "n", transposeB ? "t" : "n", m, n, k);
        }
    }

    /// A matrix in memory.
    ///
    /// @param stride elements from one row to the next
    public record Matrix(DeviceMemory memory, int stride) {}

    /// What becomes of x = alpha op(A) op(B), in fp32 and rounded once, to the nearest. A bias is bf16 [n].
    public sealed interface Epilogue {
        /// Or null, which is 0.
        DeviceMemory bias();

        /// What is read or written beside C, with its sizes and its type; or null.
        Matrix extra();

        /// For messages.
        String extraName();

        /// C = x + bias + residual, bf16.
        ///
        /// @param residual may be C itself; or null
        record StoreBf16(DeviceMemory bias, Matrix residual) implements Epilogue {
            @Override
            public Matrix extra() {
                return residual;
            }

            @Override
            public String extraName() {
                return "the residual";
            }
        }

        /// C = x + addend, fp32.
        ///
        /// @param addend C itself, to accumulate; or null
        record StoreF32(Matrix addend) implements Epilogue {
            @Override
            public DeviceMemory bias() {
                return null;
            }

            @Override
            public Matrix extra() {
                return addend;
            }

            @Override
            public String extraName() {
                return "the addend";
            }
        }

        /// preActivation = x + bias and C = GELU(preActivation) in its tanh form, both bf16.
        record Gelu(DeviceMemory bias, Matrix preActivation) implements Epilogue {
            public Gelu {
                Objects.requireNonNull(preActivation, "preActivation");
            }

            @Override
            public Matrix extra() {
                return preActivation;
            }

            @Override
            public String extraName() {
                return "the pre-activation";
            }
        }

        /// C = x GELU'(preActivation), bf16, x rounded to bf16 first.
        ///
        /// @param preActivation may be C itself
        record GeluGradient(Matrix preActivation) implements Epilogue {
            public GeluGradient {
                Objects.requireNonNull(preActivation, "preActivation");
            }

            @Override
            public DeviceMemory bias() {
                return null;
            }

            @Override
            public Matrix extra() {
                return preActivation;
            }

            @Override
            public String extraName() {
                return "the pre-activation";
            }
        }
    }

    /// A product by a plan.
    ///
    /// @param workspace at least [MatMulPlan#workspaceBytes], aligned to 16 bytes, or null if that is 0; any number
    ///     of kernels may share it as long as they do not run at the same time
    /// @throws GpuException if a size is below 1, or a buffer is too small, not aligned to its elements, or
    ///     written while it is read
    public MatMul(KernelLibrary library, MatMulPlan plan, Gemm gemm, DeviceMemory workspace) {
        gemm.check(Short.BYTES);
        Shape shape = gemm.shape();
        int allSteps = Math.ceilDiv(shape.k, tile(plan, gemm).k);
        int steps = Math.ceilDiv(allSteps, plan.splits());
        int splits = Math.ceilDiv(allSteps, steps);
        if (splits == 1) {
            product = product(library, plan, splits, steps, gemm);
            reduction = null;
        } else {
            gemm.checkWorkspace(workspace, plan.workspaceBytes(shape.m, shape.n));
            product = product(library, plan, splits, steps, gemm.parts(workspace));
            reduction = reduction(library, workspace, splits, gemm);
        }
    }

    private static Tile tile(MatMulPlan plan, Gemm gemm) {
        return vector(gemm) == WIDEST ? plan.tile() : NARROW_TILE;
    }

    private static Launch product(KernelLibrary library, MatMulPlan plan, int splits, int steps, Gemm gemm) {
        Shape shape = gemm.shape();
        Tile tile = tile(plan, gemm);
        return new Launch(
                library.function(
                        variant(tile, shape.transposeA, shape.transposeB, vector(gemm), name(gemm.epilogue())),
                        "matmul"),
                new Dim(blocks(shape, tile.tiles(shape.m, shape.n)), splits, 1),
                Dim.of(tile.threads()),
                tile.sharedBytes(),
                gemm.a().memory,
                gemm.b().memory,
                gemm.c().memory,
                shape.m,
                shape.n,
                shape.k,
                gemm.a().stride,
                gemm.b().stride,
                gemm.c().stride,
                gemm.alpha(),
                gemm.bias(),
                gemm.extra().memory,
                gemm.extra().stride,
                steps,
                ProductPlan.partBytes(shape.m, shape.n));
    }

    /// Adds the parts of a split product, in order.
    static Launch reduction(KernelLibrary library, DeviceMemory parts, int splits, Gemm gemm) {
        Shape shape = gemm.shape();
        Matrix c = gemm.c();
        Matrix extra = gemm.extra();
        int elementBytes = gemm.elementBytes();
        long together = shape.n
                | c.stride
                | extra.stride
                | c.memory.address() / elementBytes
                | extra.memory.address() / elementBytes
                | gemm.bias().address() / Short.BYTES;
        int width = together % REDUCTION_WIDTH == 0 ? REDUCTION_WIDTH : 1;
        return new Launch(
                library.function(reductionVariant(width, name(gemm.epilogue())), "matmul_reduce"),
                Dim.of(blocks(shape, Math.ceilDiv((long) shape.m * Math.ceilDiv(shape.n, width), REDUCTION_THREADS))),
                Dim.of(REDUCTION_THREADS),
                0,
                parts,
                ProductPlan.partBytes(shape.m, shape.n),
                splits,
                c.memory,
                shape.m,
                shape.n,
                c.stride,
                gemm.alpha(),
                gemm.bias(),
                extra.memory,
                extra.stride);
    }

    private static int blocks(Shape shape, long blocks) {
        if (blocks > Integer.MAX_VALUE) {
            throw new GpuException(
                    "%s: a grid has at most %,d blocks: it needs %,d".formatted(shape, Integer.MAX_VALUE, blocks));
        }
        return (int) blocks;
    }

    @Override
    public void launch(GpuStream stream) {
        stream.launch(product);
        if (reduction != null) {
            stream.launch(reduction);
        }
    }

    // ---------------------------------------------------------------- variants

    /// All kernels of the family.
    public static List<KernelVariant> variants() {
        List<KernelVariant> variants = new ArrayList<>();
        for (String epilogue : EPILOGUES) {
            for (boolean transposeA : new boolean[] {false, true}) {
                for (boolean transposeB : new boolean[] {false, true}) {
                    for (Tile tile : Tile.values()) {
                        variants.add(variant(tile, transposeA, transposeB, WIDEST, epilogue));
                    }
                    for (int vector = WIDEST / 2; vector > 0; vector /= 2) {
                        variants.add(variant(NARROW_TILE, transposeA, transposeB, vector, epilogue));
                    }
                }
            }
            variants.add(reductionVariant(1, epilogue));
            variants.add(reductionVariant(REDUCTION_WIDTH, epilogue));
        }
        return variants;
    }

    private static KernelVariant variant(
            Tile tile, boolean transposeA, boolean transposeB, int vector, String epilogue) {
        return KernelVariant.of(
                "matmul.sm_80",
                "tile_m",
                tile.m,
                "tile_n",
                tile.n,
                "tile_k",
                tile.k,
                "warps_m",
                tile.warpsM,
                "warps_n",
                tile.warpsN,
                "stages",
                tile.stages,
                "resident",
                tile.resident,
                "transpose_a",
                transposeA,
                "transpose_b",
                transposeB,
                "vector",
                vector,
                "epilogue",
                epilogue);
    }

    private static KernelVariant reductionVariant(int width, String epilogue) {
        return KernelVariant.of("matmul_reduce.sm_80", "width", width, "epilogue", epilogue);
    }

    static String name(Epilogue epilogue) {
        return switch (epilogue) {
            case Epilogue.StoreBf16 _ -> "bf16";
            case Epilogue.StoreF32 _ -> "f32";
            case Epilogue.Gelu _ -> "gelu";
            case Epilogue.GeluGradient _ -> "gelu_gradient";
        };
    }

    /// The most elements at a time that A and B can both be read by.
    private static int vector(Gemm gemm) {
        Matrix a = gemm.a();
        Matrix b = gemm.b();
        long together = a.memory.address() | b.memory.address() | 2L * a.stride | 2L * b.stride;
        return (int) Math.min(WIDEST, Long.lowestOneBit(together) / Short.BYTES);
    }
}
