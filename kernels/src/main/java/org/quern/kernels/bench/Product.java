package org.quern.kernels.bench;

import java.util.Locale;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.Fp8Matrix;
import org.quern.kernels.cuda.Fp8Type;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.Quantize;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;

/// A matrix product as training has it.
///
/// @param use of it in a model: `gpt2-124m qkv forward`
public record Product(String use, Shape shape, Ending ending) {
    /// What becomes of a product.
    public enum Ending {
        NONE,
        BIAS,
        GELU,
        GELU_GRADIENT,
        RESIDUAL,
        ACCUMULATE;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    /// `matmul gpt2-124m qkv forward, nt 65536x2304x768, bias`.
    public String name() {
        return "matmul %s, %s%s".formatted(use, sizes(), ending == Ending.NONE ? "" : ", " + ending);
    }

    /// `nt 65536x2304x768`.
    public String sizes() {
        return "%s %dx%dx%d".formatted(layout(), shape.m(), shape.n(), shape.k());
    }

    String layout() {
        return (shape.transposeA() ? "t" : "n") + (shape.transposeB() ? "t" : "n");
    }

    /// Whether floats of 8 bits may do for it: it is no head's.
    public boolean mayBeInBytes() {
        return !use.contains(" head ");
    }

    /// Operations that it takes.
    public double flop() {
        return 2.0 * shape.m() * shape.n() * shape.k();
    }

    /// The fewest bytes that it moves.
    double bytes() {
        return bytes(Short.BYTES);
    }

    /// The same by a plan.
    double bytes(ProductPlan plan) {
        return bytes(plan instanceof Fp8MatMul.Plan ? 1 : Short.BYTES);
    }

    /// @param operandBytes of an element of A and B
    private double bytes(int operandBytes) {
        double m = shape.m();
        double n = shape.n();
        double k = shape.k();
        return operandBytes * (m * k + k * n) + m * n * outputBytes();
    }

    /// What is written of an element, and read beside the product.
    private int outputBytes() {
        return switch (ending) {
            case NONE, BIAS -> 2;
            case GELU, GELU_GRADIENT, RESIDUAL -> 4;
            case ACCUMULATE -> 8;
        };
    }

    /// A computation by a plan, with buffers of its own.
    Setup by(ProductPlan plan) {
        return (kernels, memory) -> bind(plan, kernels, memory, gemm(memory));
    }

    /// The same with given buffers.
    GpuKernel bind(ProductPlan plan, KernelLibrary kernels, BenchmarkMemory memory, Gemm gemm) {
        long bytes = plan.workspaceBytes(shape.m(), shape.n());
        DeviceMemory workspace = bytes == 0 ? null : memory.output(bytes);
        return switch (plan) {
            case MatMulPlan warps -> new MatMul(kernels, warps, gemm, workspace);
            case WarpgroupMatMulPlan warpgroups -> new WarpgroupMatMul(kernels, warpgroups, gemm, workspace);
            case Fp8MatMul.Plan fp8 -> {
                // Of a layer's products, those that are no forward pass have a gradient for A.
                Fp8Type typeA = shape.transposeB() ? Fp8Type.E4M3 : Fp8Type.E5M2;
                Fp8Matrix a = quantized(kernels, memory, gemm.a(), typeA, shape.m(), shape.transposeA());
                Fp8Matrix b = quantized(kernels, memory, gemm.b(), Fp8Type.E4M3, shape.n(), !shape.transposeB());
                yield Fp8MatMul.of(
                        kernels,
                        fp8,
                        shape.m(),
                        shape.n(),
                        shape.k(),
                        a,
                        b,
                        gemm.c(),
                        gemm.alpha(),
                        gemm.epilogue(),
                        workspace);
            }
        };
    }

    /// An operand [rows, k] in floats of 8 bits, made at once: that is another kernel's work.
    private Fp8Matrix quantized(
            KernelLibrary kernels, BenchmarkMemory memory, Matrix x, Fp8Type type, int rows, boolean transposed) {
        int k = shape.k();
        Fp8Matrix out = Fp8Matrix.in(memory.output(Fp8Matrix.bytes(rows, k)), type, rows, k);
        memory.run(
                transposed
                        ? Quantize.of(kernels, x.memory(), k, rows, null, out)
                        : Quantize.of(kernels, x.memory(), rows, k, out, null));
        return out;
    }

    /// The product of random matrices.
    Gemm gemm(BenchmarkMemory memory) {
        long m = shape.m();
        long n = shape.n();
        long k = shape.k();
        Matrix a = new Matrix(memory.bf16(m * k, 1), (int) (shape.transposeA() ? m : k));
        Matrix b = new Matrix(memory.bf16(k * n, 1 / Math.sqrt(k)), (int) (shape.transposeB() ? k : n));
        Epilogue end = epilogue(memory, m, n);
        Matrix c = end instanceof Epilogue.StoreF32(Matrix addend)
                ? addend
                : new Matrix(memory.output(Short.BYTES * m * n), (int) n);
        return new Gemm(shape, a, b, c, end);
    }

    private Epilogue epilogue(BenchmarkMemory memory, long m, long n) {
        return switch (ending) {
            case NONE -> new Epilogue.StoreBf16(null, null);
            case BIAS -> new Epilogue.StoreBf16(memory.bf16(n, 1), null);
            case GELU -> new Epilogue.Gelu(memory.bf16(n, 1), new Matrix(memory.output(Short.BYTES * m * n), (int) n));
            case GELU_GRADIENT -> new Epilogue.GeluGradient(matrix(memory.bf16(m * n, 1), n));
            case RESIDUAL -> new Epilogue.StoreBf16(memory.bf16(n, 1), matrix(memory.bf16(m * n, 1), n));
            case ACCUMULATE -> new Epilogue.StoreF32(matrix(memory.f32(m * n, 1), n));
        };
    }

    private static Matrix matrix(DeviceMemory memory, long n) {
        return new Matrix(memory, (int) n);
    }
}
