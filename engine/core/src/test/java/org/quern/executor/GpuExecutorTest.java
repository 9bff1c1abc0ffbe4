package org.quern.executor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.ExampleDevices;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Value;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProgrammaticKernels;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.ptx.emulator.Options;

/// The emulated GPU, with lowering, schedule, memory plan and epilogues, against the reference in double precision.
class GpuExecutorTest {
    /// Inputs are rounded to 8 significant bits, and so is each result: 2^-9 each for one, on average less. Gradients
    /// are several roundings away, and of a normalised stream what is left of larger numbers: 1.6 % was measured.
    private static final double TOLERANCE = 0.02;

    static List<OpCases.Case> cases() {
        return OpCases.all().stream().filter(GpuExecutorTest::hasKernels).toList();
    }

    private static boolean hasKernels(OpCases.Case op) {
        return op.graph(false).nodes().stream()
                .allMatch(node -> !(node.op() instanceof Op.Attention attention)
                        || Attention.HEAD_DIMS.contains(attention.heads().dim()));
    }

    static GpuExecutor emulated() {
        EmulatedGpu gpu = new EmulatedGpu();
        return new GpuExecutor(gpu, LoadedKernels.asText(gpu));
    }

    /// The kernels of PTX, of which no more is asked than cuBLAS has.
    private static final class PlainMatMuls implements MatMuls {
        @Override
        public GpuKernel of(KernelLibrary library, Gemm gemm, DeviceMemory workspace) {
            Matrix addend = switch (gemm.epilogue()) {
                case Epilogue.StoreBf16(DeviceMemory bias, Matrix residual) -> {
                    assertThat(bias).isNull();
                    yield residual;
                }
                case Epilogue.StoreF32(Matrix summand) -> summand;
                case Epilogue.Gelu _, Epilogue.GeluGradient _ -> fail("cuBLAS has no such end: " + gemm.epilogue());
            };
            assertThat(addend).isIn(null, gemm.c());
            return new MatMul(library, plan(library.device(), gemm.shape()), gemm, workspace);
        }

        @Override
        public long workspaceBytes(DeviceProperties device, MatMul.Shape shape) {
            return plan(device, shape).workspaceBytes(shape.m(), shape.n());
        }

        private static MatMulPlan plan(DeviceProperties device, MatMul.Shape shape) {
            return MatMulPlan.choose(device, shape.m(), shape.n(), shape.k());
        }

        @Override
        public boolean hasEpilogues() {
            return false;
        }

        @Override
        public void prepare(GpuStream stream) {}
    }

    @ParameterizedTest
    @MethodSource("cases")
    void computesWhatTheReferenceDoes(OpCases.Case op) {
        computes(op, KernelProvider.PTX.matMuls());
    }

    static List<OpCases.Case> casesWithProducts() {
        return cases().stream()
                .filter(op -> op.graph(false).nodes().stream().anyMatch(node -> isProduct(node.op())))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("casesWithProducts")
    void computesTheSameWithPlainProducts(OpCases.Case op) {
        computes(op, new PlainMatMuls());
    }

    private static boolean isProduct(Op op) {
        return op instanceof Op.MatMul
                || op instanceof Op.LinearCrossEntropy
                || op instanceof Op.LinearCrossEntropyGradient;
    }

    @Test
    void saysWhatToDoWithoutCuBlas() {
        EmulatedGpu gpu = new EmulatedGpu();
        KernelLibrary library = LoadedKernels.asText(gpu);
        MatMuls products = KernelProvider.LIBRARY.matMuls();
        assertThatThrownBy(() -> new GpuExecutor(gpu, library, products))
                .isInstanceOf(GpuException.class)
                .hasMessage("kernels.provider is library, but cuBLAS cannot be used: cuBLAS works on real GPUs only\n"
                        + "Install NVIDIA's cuBLAS 12 (libcublas.so.12), name its folder in LD_LIBRARY_PATH, or set"
                        + " kernels.provider: ptx, which needs none.");
        assertThatThrownBy(gpu::stream).as("the device was given back").hasMessageContaining("closed");
    }

    @ParameterizedTest
    @MethodSource("cases")
    void computesTheSameWithWarpgroups(OpCases.Case op) {
        computes(op, KernelProvider.WARPGROUPS.matMuls(), Options.Device.SM_90, ProgrammaticKernels::new);
    }

    /// Of as many heads as it takes to be chosen.
    @Test
    void computesTheSameWithTheFusedGradientOfAttention() {
        int length = 128;
        Attention.Shape shape = new Attention.Shape(2, length, 48, 48, 64, 0);
        DeviceProperties device = ExampleDevices.of("sm_90").orElseThrow();
        MatMuls warpgroups = KernelProvider.WARPGROUPS.matMuls();
        assertThat(WarpgroupAttention.Gradient.choose(device, shape)).isEqualTo(WarpgroupAttention.Gradient.FUSED);
        assertThat(warpgroups.attentionWorkspaceBytes(device, shape))
                .isEqualTo(WarpgroupAttention.Gradient.FUSED.workspaceBytes(device, shape));
        OpCases.Case op = OpCases.attention("", new Op.Heads(48, 48, 64), length, 0, i -> i % length / 70 * 70);
        computes(op, warpgroups, Options.Device.SM_90, ProgrammaticKernels::new);
    }

    private static void computes(OpCases.Case op, MatMuls matMuls) {
        computes(op, matMuls, Options.Device.SM_80, UnaryOperator.identity());
    }

    private static void computes(
            OpCases.Case op, MatMuls matMuls, Options.Device limits, UnaryOperator<KernelLibrary> kernels) {
        for (boolean accumulate : new boolean[] {false, true}) {
            Graph graph = op.graph(accumulate);
            ReferenceExecutor reference = GradientsTest.filled(op, graph);
            reference.run(graph);
            reference.run(graph);
            EmulatedGpu device = new EmulatedGpu(Options.DEFAULT.withDevice(limits));
            try (GpuExecutor gpu = new GpuExecutor(device, kernels.apply(LoadedKernels.asText(device)), matMuls)) {
                Program program = gpu.prepare(graph);
                CpuExecutorTest.fill(gpu.tensors(), op, graph);
                program.run();
                program.run();
                for (Value state : graph.states().values()) {
                    if (state.type() == DType.F32) {
                        gpu.tensors().pull(state.name());
                        assertThat(CpuExecutorTest.relativeError(
                                        gpu.tensors().host(state.name()), reference.state(state)))
                                .as(state.toString())
                                .isLessThan(TOLERANCE);
                    }
                }
            }
        }
    }
}
