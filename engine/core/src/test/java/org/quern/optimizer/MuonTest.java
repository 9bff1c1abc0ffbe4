package org.quern.optimizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.Safetensors;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.graph.Shape;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;

/// Muon against the golden values of `golden_muon.py`.
class MuonTest {
    private static final OptimizerSettings SETTINGS = new OptimizerSettings(
            0.01,
            0.9,
            0.95,
            1e-8,
            0.1,
            1,
            Optional.empty(),
            Optional.of(new OptimizerSettings.Muon(0.02, 0.95, 5, 0.1)));

    @ParameterizedTest
    @ValueSource(strings = {"tall", "wide", "square", "row"})
    void takesTheStepsOfTheGoldenValues(String matrix) throws URISyntaxException {
        try (Arena arena = Arena.ofConfined();
                CpuExecutor executor = new CpuExecutor(2)) {
            Map<String, NamedTensor> golden = golden(arena);
            NamedTensor start = golden.get(matrix + ".weight");
            Shape shape =
                    Shape.of(start.shape().stream().mapToInt(Long::intValue).toArray());
            Parameter parameter = new Parameter(
                    "w",
                    shape,
                    Parameter.Kind.LINEAR,
                    new Parameter.Initial.Constant(0),
                    List.of(new Parameter.Part("w", shape, 0)));
            Program update = executor.prepare(new OptimizerGraphs(SETTINGS, List.of(parameter)).update());
            TensorStore tensors = executor.tensors();
            tensors.host("w").copyFrom(start.data());
            tensors.host(OptimizerGraphs.CLIP).setAtIndex(ValueLayout.JAVA_FLOAT, 1, 1);
            tensors.host(OptimizerGraphs.MUON_SCALARS).set(ValueLayout.JAVA_FLOAT, 0, 0.02f);
            long bytes = shape.size() * Float.BYTES;
            for (int step = 0; step < 4; step++) {
                tensors.host(ModelGraphs.gradient("w"))
                        .copyFrom(golden.get(matrix + ".gradients").data().asSlice(step * bytes, bytes));
                update.run();
                MemorySegment expected = golden.get(matrix + ".weights").data().asSlice(step * bytes, bytes);
                for (long i = 0; i < shape.size(); i++) {
                    assertThat(at(tensors.host("w"), i))
                            .as("step %d, element %d", step, i)
                            .isCloseTo(at(expected, i), org.assertj.core.api.Assertions.within(1e-5f));
                }
            }
        }
    }

    private static float at(MemorySegment memory, long index) {
        return memory.get(ValueLayout.JAVA_FLOAT_UNALIGNED, index * Float.BYTES);
    }

    private static Map<String, NamedTensor> golden(Arena arena) throws URISyntaxException {
        Path file =
                Path.of(MuonTest.class.getResource("/golden/muon.safetensors").toURI());
        return Safetensors.read(file, arena).stream().collect(Collectors.toMap(NamedTensor::name, Function.identity()));
    }
}
