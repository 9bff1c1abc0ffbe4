package org.quern.executor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.gpu.EmulatedGpu;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Value;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.LoadedKernels;

/// The emulated GPU, with lowering, schedule, memory plan and epilogues, against the reference in double precision.
class GpuExecutorTest {
    /// Inputs are rounded to 8 significant bits, and so is each result: 2^-9 each for one, on average less. Gradients
    /// are a few roundings away.
    private static final double TOLERANCE = 0.01;

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

    @ParameterizedTest
    @MethodSource("cases")
    void computesWhatTheReferenceDoes(OpCases.Case op) {
        for (boolean accumulate : new boolean[] {false, true}) {
            Graph graph = op.graph(accumulate);
            ReferenceExecutor reference = GradientsTest.filled(op, graph);
            reference.run(graph);
            reference.run(graph);
            try (GpuExecutor gpu = emulated()) {
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
