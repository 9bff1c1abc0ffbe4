package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.Json;
import org.quern.config.RunConfig;
import org.quern.graph.Graph;
import org.quern.graph.MixedPrecision;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.optimizer.OptimizerGraphs;
import tools.jackson.databind.JsonNode;

/// Runs whose third step to fifth is timed.
class ProfileTest {
    private static final String[] OVERRIDES = {
        "model={architecture: gpt2, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}",
        "train={steps: 6, global_batch: 4, micro_batch: 2, sequence_length: 13}",
        "evaluate={every: 4, sequences: 3}",
        "checkpoint.every=6",
        "schedule.warmup_steps=1"
    };

    @TempDir
    Path folder;

    private TinyRun tiny;

    @BeforeEach
    void prepare() {
        tiny = new TinyRun(folder);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "emulated"})
    void timesEveryOperationAndChangesNothing(String device) {
        String[] overrides = Stream.concat(Stream.of(OVERRIDES), Stream.of("run.device=" + device))
                .toArray(String[]::new);
        tiny.train("plain", overrides);
        List<TrainEvent> events = tiny.trainProfiled("profiled", overrides);
        tiny.assertSameBits("plain", "profiled", 6);

        Path profile = tiny.run("profiled").resolve("profile");
        TrainEvent.Profiled profiled =
                TinyRun.only(TrainEvent.Profiled.class, events).getFirst();
        assertThat(profiled.step()).isEqualTo(5);
        assertThat(profiled.folder()).contains(profile);
        assertThat(profile.resolve("table.txt")).content().isEqualTo(profiled.table());
        assertThat(profiled.table())
                .contains("steps 3 to 5", "MatMul + AddBias", "AdamW", "all ", "100.0 %", "No ceiling");
        if (device.equals("emulated")) {
            assertThat(profiled.table()).contains("MatMul + AddBias + Activation", "which no GPU takes");
        }
        assertTraceIsWellFormed(Json.readObject(profile.resolve("trace.json")));
        // Three steps of two micro-batches, a norm and an update; nothing of the evaluation after step 4.
        double flop = events(profile, "operation").stream()
                .mapToDouble(event -> event.path("args").path("flop").asDouble())
                .sum();
        assertThat(flop).isCloseTo(3 * flopOfStep(device), within(1e-6 * flop));
    }

    /// What the Trace Event Format asks for, and what viewers need to show it: events of a thread that do not overlap.
    private static void assertTraceIsWellFormed(JsonNode trace) {
        assertThat(trace.path("traceEvents").isArray()).isTrue();
        double[] end = new double[3];
        int names = 0;
        for (JsonNode event : trace.path("traceEvents")) {
            assertThat(event.path("name").isString()).isTrue();
            assertThat(event.path("pid").isInt()).isTrue();
            assertThat(event.path("tid").isInt()).isTrue();
            assertThat(event.path("args").isObject()).isTrue();
            if (event.path("ph").asString().equals("M")) {
                names++;
                assertThat(event.path("name").asString()).isIn("process_name", "thread_name");
                assertThat(event.path("args").path("name").isString()).isTrue();
                continue;
            }
            assertThat(event.path("ph").asString()).isEqualTo("X");
            int thread = event.path("tid").asInt();
            double start = event.path("ts").asDouble(Double.NaN);
            double duration = event.path("dur").asDouble(Double.NaN);
            assertThat(duration).isNotNegative();
            assertThat(start).isGreaterThanOrEqualTo(end[thread] - 1e-3);
            end[thread] = start + duration;
        }
        assertThat(names).isEqualTo(3);
    }

    @Test
    void namesTheSteps() {
        tiny.trainProfiled("run", OVERRIDES);
        Path profile = tiny.run("run").resolve("profile");
        assertThat(events(profile, "step"))
                .extracting(event -> event.path("name").asString())
                .containsExactly("step 3", "step 4", "step 5");
    }

    @Test
    void writesWhatThereIsOfAShortRun() {
        List<TrainEvent> events = tiny.trainProfiled(
                "run",
                Stream.concat(Stream.of(OVERRIDES), Stream.of("train.steps=3")).toArray(String[]::new));
        assertThat(TinyRun.only(TrainEvent.Profiled.class, events).getFirst().table())
                .contains("Operations of step 3 on ");
        events = tiny.trainProfiled(
                "shorter",
                Stream.concat(Stream.of(OVERRIDES), Stream.of("train.steps=2")).toArray(String[]::new));
        assertThat(TinyRun.only(TrainEvent.Profiled.class, events)).isEmpty();
    }

    @Test
    void goesOnWhereTheProfileCannotBeWritten() throws IOException {
        Files.createDirectories(tiny.run("run"));
        TinyRun.write(tiny.run("run").resolve("profile"), "a file, no folder");
        List<TrainEvent> events = tiny.trainProfiled("run", OVERRIDES);
        TrainEvent.Profiled profiled =
                TinyRun.only(TrainEvent.Profiled.class, events).getFirst();
        assertThat(profiled.folder()).isEmpty();
        assertThat(profiled.table()).contains("MatMul");
        assertThat(tiny.checkpoint("run", 6)).exists();
    }

    private static List<JsonNode> events(Path profile, String category) {
        JsonNode trace = Json.readObject(profile.resolve("trace.json"));
        return StreamSupport.stream(trace.path("traceEvents").spliterator(), false)
                .filter(event -> event.path("cat").asString("").equals(category))
                .toList();
    }

    private double flopOfStep(String device) {
        RunConfig config = tiny.config(OVERRIDES);
        Model model = Model.of(config.modelConfig(61));
        OptimizerGraphs optimizer = new OptimizerGraphs(config.optimizerSettings(), model.parameters());
        return 2 * flop(ModelGraphs.training(model, 2, 13, false), device)
                + flop(optimizer.norm(), device)
                + flop(optimizer.update(), device);
    }

    private static double flop(Graph graph, String device) {
        return (device.equals("cpu") ? graph : MixedPrecision.lower(graph))
                .cost()
                .flop();
    }
}
