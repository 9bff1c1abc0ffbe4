package org.quern.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.Json;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.Safetensors;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.generate.GraphDecoder;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;
import org.quern.interop.HuggingFaceFolder;
import org.quern.optimizer.OptimizerGraphs;
import org.quern.optimizer.OptimizerSettings;
import tools.jackson.databind.JsonNode;

/// Models, gradients, AdamW and generation against PyTorch and transformers: the golden values of
/// `golden_models.py`. They are float64's; its table says how far PyTorch's own float32 is from them (logits 6e-6,
/// gradients 1.5e-6, losses 1.5e-7), which the tolerances here leave several times over.
@ParameterizedClass
@ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
class GoldenModelTest {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

    private final Arena arena = Arena.ofConfined();
    private final CpuExecutor executor = new CpuExecutor(2);
    private final TensorStore tensors = executor.tensors();
    private final HuggingFaceFolder folder;
    private final Model model;
    private final Map<String, NamedTensor> golden;
    private final JsonNode values;
    private final int batch;
    private final int length;

    GoldenModelTest(String name) throws URISyntaxException {
        Path path = Path.of(GoldenModelTest.class.getResource("/golden/" + name).toURI());
        folder = new HuggingFaceFolder(path);
        model = Model.of(folder.config());
        golden = Safetensors.read(path.resolve("golden.safetensors"), arena).stream()
                .collect(Collectors.toMap(NamedTensor::name, Function.identity()));
        values = Json.readObject(path.resolve("golden.json"));
        List<Long> shape = golden.get("input_ids").shape();
        batch = shape.get(0).intValue();
        length = shape.get(1).intValue();
    }

    @AfterEach
    void close() {
        executor.close();
        arena.close();
    }

    @Test
    void givesTheLogits() {
        Program program = executor.prepare(logits());
        readWeights();
        load("", 0);
        program.run();
        MemorySegment expected = golden.get("logits").data();
        MemorySegment actual = tensors.host("logits");
        assertThat(actual.byteSize()).isEqualTo(expected.byteSize());
        for (long at = 0; at < expected.byteSize(); at += Float.BYTES) {
            assertThat(actual.get(FLOAT, at)).as("logit %d", at / 4).isCloseTo(expected.get(FLOAT, at), within(3e-5f));
        }
    }

    @Test
    void givesTheLossAndEveryGradient() {
        Program program = executor.prepare(ModelGraphs.training(model, batch, length, false));
        readWeights();
        int counting = counting("", 0);
        lossScale(counting);
        load("", 0);
        program.run();
        assertThat(lossSum() / counting).isCloseTo(values.path("loss").asDouble(), withinPercentage(1e-4));
        int compared = 0;
        for (Parameter parameter : model.parameters()) {
            String name = ModelGraphs.gradient(parameter.name());
            tensors.pull(name);
            for (Parameter.Part part : parameter.parts()) {
                long offset = (long) part.fromRow() * parameter.shape().columns() * Float.BYTES;
                NamedTensor expected = golden.get("grad." + part.name());
                MemorySegment actual =
                        tensors.host(name).asSlice(offset, expected.data().byteSize());
                assertThat(relativeDistance(actual, expected.data()))
                        .as(part.name())
                        .isLessThan(1e-5);
                compared++;
            }
        }
        assertThat(golden.keySet().stream().filter(name -> name.startsWith("grad.")))
                .hasSize(compared);
    }

    @Test
    void takesTenStepsOfAdamW() {
        Program first = executor.prepare(ModelGraphs.training(model, batch, length, false));
        Program others = executor.prepare(ModelGraphs.training(model, batch, length, true));
        OptimizerSettings settings =
                new OptimizerSettings(1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0, Optional.empty(), Optional.empty());
        OptimizerGraphs optimizer = new OptimizerGraphs(settings, model.parameters());
        Program norm = executor.prepare(optimizer.norm());
        Program update = executor.prepare(optimizer.update());
        readWeights();
        JsonNode train = values.path("train");
        int microBatches = golden.get("train.input_ids").shape().get(1).intValue();
        int steps = train.path("losses").size();
        for (int step = 0; step <= steps; step++) {
            // After the last step the last batch is seen once more.
            int data = Math.min(step, steps - 1) * microBatches;
            int counting = 0;
            for (int i = 0; i < microBatches; i++) {
                counting += counting("train.", data + i);
            }
            lossScale(counting);
            double loss = 0;
            for (int i = 0; i < microBatches; i++) {
                load("train.", data + i);
                (i == 0 ? first : others).run();
                loss += lossSum() / counting;
            }
            if (step == steps) {
                assertThat(loss).isCloseTo(train.path("loss_after").asDouble(), withinPercentage(1e-4));
                break;
            }
            assertThat(loss)
                    .as("loss before step %d", step)
                    .isCloseTo(train.path("losses").path(step).asDouble(), withinPercentage(1e-4));
            norm.run();
            tensors.pull(OptimizerGraphs.CLIP);
            assertThat((double) tensors.host(OptimizerGraphs.CLIP).get(FLOAT, 0))
                    .as("gradient norm of step %d", step)
                    .isCloseTo(train.path("grad_norms").path(step).asDouble(), withinPercentage(1e-3));
            set(
                    OptimizerGraphs.ADAMW_SCALARS,
                    settings.lr(),
                    1 - Math.pow(settings.beta1(), step + 1),
                    1 - Math.pow(settings.beta2(), step + 1));
            update.run();
        }
    }

    @Test
    void generatesTheGreedyTokens() {
        GraphDecoder decoder = new GraphDecoder(executor, model, 1, 40);
        readWeights();
        for (JsonNode example : values.path("greedy")) {
            int[] prompt = example.path("prompt")
                    .valueStream()
                    .mapToInt(JsonNode::asInt)
                    .toArray();
            List<Integer> expected =
                    example.path("tokens").valueStream().map(JsonNode::asInt).toList();
            List<Integer> actual = new ArrayList<>();
            actual.add(best(decoder.prefill(prompt)));
            while (actual.size() < expected.size()) {
                actual.add(best(decoder.decode(new int[] {actual.getLast()})));
            }
            assertThat(actual).isEqualTo(expected);
        }
    }

    private Graph logits() {
        ModelConfig config = model.config();
        Op.Heads heads = new Op.Heads(config.numAttentionHeads(), config.numKeyValueHeads(), config.headDim());
        Graph graph = new Graph();
        Shape rows = Shape.of(batch * length);
        Value start = graph.state(ModelGraphs.DOCUMENT_START, rows, DType.I32);
        Value hidden = model.hidden(
                graph,
                graph.state(ModelGraphs.TOKENS, rows, DType.I32),
                graph.state(ModelGraphs.POSITIONS, rows, DType.I32),
                (g, layer, qkv) -> g.add("attention." + layer, new Op.Attention(heads, length, 0), qkv, start));
        Value logits = model.logits(graph, hidden);
        graph.state(ModelGraphs.TARGETS, rows, DType.I32);
        graph.redirect(logits, graph.state("logits", logits.shape(), DType.F32));
        return graph;
    }

    private void readWeights() {
        folder.load(model, tensors);
    }

    /// Puts batch `index` of the golden file's into the model's inputs.
    private void load(String prefix, int index) {
        long bytes = (long) batch * length * Integer.BYTES;
        copy(golden.get(prefix + "input_ids").data().asSlice(index * bytes, bytes), ModelGraphs.TOKENS);
        copy(golden.get(prefix + "targets").data().asSlice(index * bytes, bytes), ModelGraphs.TARGETS);
        for (int i = 0; i < batch * length; i++) {
            tensors.host(ModelGraphs.POSITIONS).set(INT, (long) i * Integer.BYTES, i % length);
        }
        tensors.push(ModelGraphs.POSITIONS);
        tensors.push(ModelGraphs.DOCUMENT_START);
    }

    private void copy(MemorySegment from, String state) {
        tensors.host(state).copyFrom(from);
        tensors.push(state);
    }

    /// Targets of a batch that are not ignored.
    private int counting(String prefix, int index) {
        MemorySegment targets = golden.get(prefix + "targets").data();
        int count = 0;
        for (int i = 0; i < batch * length; i++) {
            count += targets.get(INT, (long) (index * batch * length + i) * Integer.BYTES) >= 0 ? 1 : 0;
        }
        return count;
    }

    private void lossScale(int counting) {
        set(ModelGraphs.LOSS_SCALE, 1.0 / counting);
    }

    private void set(String state, double... numbers) {
        for (int i = 0; i < numbers.length; i++) {
            tensors.host(state).set(FLOAT, (long) i * Float.BYTES, (float) numbers[i]);
        }
        tensors.push(state);
    }

    private double lossSum() {
        tensors.pull(ModelGraphs.LOSSES);
        double sum = 0;
        for (int i = 0; i < batch * length; i++) {
            sum += tensors.host(ModelGraphs.LOSSES).get(FLOAT, (long) i * Float.BYTES);
        }
        return sum;
    }

    private static double relativeDistance(MemorySegment actual, MemorySegment expected) {
        double distance = 0;
        double norm = 0;
        for (long at = 0; at < expected.byteSize(); at += Float.BYTES) {
            double right = expected.get(FLOAT, at);
            double difference = actual.get(FLOAT, at) - right;
            distance += difference * difference;
            norm += right * right;
        }
        return Math.sqrt(distance / norm);
    }

    private static int best(MemorySegment logits) {
        int best = 0;
        for (int i = 1; i < logits.byteSize() / Float.BYTES; i++) {
            if (logits.get(FLOAT, (long) i * Float.BYTES) > logits.get(FLOAT, (long) best * Float.BYTES)) {
                best = i;
            }
        }
        return best;
    }
}
