package org.quern.executor;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Value;

/// The CPU, with its schedule and memory plan, against the reference in double precision.
class CpuExecutorTest {

    static List<OpCases.Case> cases() {
        return OpCases.all();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void computesWhatTheReferenceDoes(OpCases.Case op) {
        for (boolean accumulate : new boolean[] {false, true}) {
            Graph graph = op.graph(accumulate);
            ReferenceExecutor reference = GradientsTest.filled(op, graph);
            reference.run(graph);
            reference.run(graph);
            try (CpuExecutor cpu = new CpuExecutor(2)) {
                Program program = cpu.prepare(graph);
                fill(cpu.tensors(), op, graph);
                program.run();
                program.run();
                for (Value state : graph.states().values()) {
                    if (state.type() == DType.F32) {
                        assertThat(relativeError(cpu.tensors().host(state.name()), reference.state(state)))
                                .as(state.toString())
                                .isLessThan(2e-6);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void hasTheSameBitsOnAnyNumberOfThreads(OpCases.Case op) {
        Graph graph = op.graph(false);
        try (CpuExecutor one = new CpuExecutor(1);
                CpuExecutor three = new CpuExecutor(3)) {
            for (CpuExecutor cpu : List.of(one, three)) {
                Program program = cpu.prepare(graph);
                fill(cpu.tensors(), op, graph);
                program.run();
            }
            for (String name : one.tensors().names()) {
                assertThat(one.tensors().host(name).mismatch(three.tensors().host(name)))
                        .as(name)
                        .isEqualTo(-1);
            }
        }
    }

    static void fill(TensorStore tensors, OpCases.Case op, Graph graph) {
        for (Value state : graph.states().values()) {
            if (!state.name().startsWith("gradient.") && !state.name().equals("output")) {
                set(tensors.host(state.name()), state.type(), op.values(state, 1));
                tensors.push(state.name());
            }
        }
    }

    static void set(MemorySegment memory, DType type, double[] values) {
        for (int i = 0; i < values.length; i++) {
            switch (type) {
                case F32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
                case I32 -> memory.setAtIndex(ValueLayout.JAVA_INT, i, (int) values[i]);
                case BF16 -> throw new IllegalArgumentException("tests fill no bf16 state");
            }
        }
    }

    /// The norm of the difference over the norm of what is expected.
    static double relativeError(MemorySegment actual, double[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            double d = actual.getAtIndex(ValueLayout.JAVA_FLOAT, i) - expected[i];
            difference += d * d;
            norm += expected[i] * expected[i];
        }
        return Math.sqrt(difference / Math.max(norm, 1e-30));
    }
}
