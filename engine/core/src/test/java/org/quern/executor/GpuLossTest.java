package org.quern.executor;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;

/// The loss in chunks of rows beside the same in one, which [GpuExecutorTest] compares with a reference.
class GpuLossTest {
    private static final int ROWS = 37;
    private static final int WIDTH = 24;
    private static final int VOCAB = 61;

    /// The gradient of the weight is the sum of the chunks', each of which is added in fp32.
    private static final double ANOTHER_ORDER = 1e-6;

    /// What the operation computes, in fp32.
    private record Result(float[] losses, float[] dHidden, float[] dWeight) {}

    @ParameterizedTest
    @CsvSource({"16, false", "16, true", "36, false", "1, true"})
    void chunksChangeNothing(int rowsAtOnce, boolean accumulate) {
        Result whole = run(ROWS, accumulate);
        Result chunked = run(rowsAtOnce, accumulate);
        assertThat(chunked.losses).isEqualTo(whole.losses);
        assertThat(chunked.dHidden).isEqualTo(whole.dHidden);
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < VOCAB * WIDTH; i++) {
            difference += Math.pow(chunked.dWeight[i] - whole.dWeight[i], 2);
            norm += Math.pow(whole.dWeight[i], 2);
        }
        assertThat(Math.sqrt(difference / norm)).isLessThan(ANOTHER_ORDER);
        assertThat(norm).isPositive();
    }

    /// @param accumulate whether the gradient of the weight is added to what is there: a half in each element
    private static Result run(int rowsAtOnce, boolean accumulate) {
        Graph graph = new Graph();
        Value hidden = graph.state("hidden", Shape.of(ROWS, WIDTH), DType.F32);
        Value weight = graph.state("weight", Shape.of(VOCAB, WIDTH), DType.F32);
        Value targets = graph.state("targets", Shape.of(ROWS), DType.I32);
        Value scale = graph.state("scale", Shape.of(1), DType.F32);
        Value losses = graph.state("losses", Shape.of(ROWS), DType.F32);
        Value dHidden = graph.state("dHidden", hidden.shape(), DType.F32);
        Value dWeight = graph.state("dWeight", weight.shape(), DType.F32);
        Op loss = new Op.LinearCrossEntropyGradient(rowsAtOnce);
        List<Value> inputs = List.of(hidden, weight, targets, scale);
        Shape logits =
                loss.outputShapes(inputs.stream().map(Value::shape).toList()).get(1);
        Value rounded = graph.transientValue("dHidden", hidden.shape(), DType.BF16);
        graph.addInto(
                loss,
                inputs,
                List.of(
                        new Node.Output(losses, false),
                        new Node.Output(graph.transientValue("logits", logits, DType.BF16), false),
                        new Node.Output(rounded, false),
                        new Node.Output(dWeight, accumulate)));
        graph.addInto(new Op.Cast(), List.of(rounded), List.of(new Node.Output(dHidden, false)));
        try (GpuExecutor executor = GpuExecutorTest.emulated()) {
            Program program = executor.prepareLowered(graph, List.of());
            Random random = new Random(7);
            fill(executor.tensors(), "hidden", () -> random.nextGaussian());
            fill(executor.tensors(), "weight", () -> random.nextGaussian());
            fill(executor.tensors(), "scale", () -> 0.125);
            fill(executor.tensors(), "dWeight", () -> 0.5);
            MemorySegment ids = executor.tensors().host("targets");
            for (int i = 0; i < ROWS; i++) {
                ids.setAtIndex(ValueLayout.JAVA_INT, i, i % 9 == 4 ? -100 : random.nextInt(VOCAB));
            }
            executor.tensors().push("targets");
            program.run();
            Stream.of("losses", "dHidden", "dWeight").forEach(executor.tensors()::pull);
            return new Result(
                    read(executor.tensors(), "losses"),
                    read(executor.tensors(), "dHidden"),
                    read(executor.tensors(), "dWeight"));
        }
    }

    private static void fill(TensorStore tensors, String name, DoubleSupplier values) {
        MemorySegment memory = tensors.host(name);
        for (int i = 0; i < memory.byteSize() / Float.BYTES; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values.getAsDouble());
        }
        tensors.push(name);
    }

    private static float[] read(TensorStore tensors, String name) {
        return tensors.host(name).toArray(ValueLayout.JAVA_FLOAT);
    }
}
