package org.quern.train.metrics;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import tools.jackson.databind.JsonNode;

/// What the files in the folder of a run tell. A file that is not there tells nothing.
///
/// @param steps by number; of lines of the same step the last counts
/// @param evaluations by step
/// @param config the text of `config.yaml`
/// @param settings the same as maps; empty when it is no YAML
/// @param starts the entries of `provenance.json`, oldest first
record RunHistory(
        SortedMap<Long, Step> steps,
        SortedMap<Long, Evaluation> evaluations,
        List<Sample> samples,
        List<JsonNode> events,
        String config,
        Map<?, ?> settings,
        List<JsonNode> starts) {
    private static final String SOURCE = "val_loss/";

    /// A step; numbers that are not finite are NaN.
    record Step(
            long step,
            double loss,
            double lr,
            double gradNorm,
            long tokens,
            double tokensPerSecond,
            double seconds,
            boolean skipped) {}

    /// An evaluation.
    ///
    /// @param sources the losses of the sources of a mixture
    record Evaluation(long step, double loss, double bitsPerByte, SortedMap<String, Double> sources) {}

    record Sample(long step, String prompt, String text) {}

    static RunHistory read(Path run) throws IOException {
        SortedMap<Long, Step> steps = new TreeMap<>();
        SortedMap<Long, Evaluation> evaluations = new TreeMap<>();
        readLines(run.resolve("metrics.jsonl"), line -> {
            long step = line.path("step").asLong(0);
            if (line.has("val_loss")) {
                evaluations.put(
                        step, new Evaluation(step, number(line, "val_loss"), number(line, "val_bpb"), sources(line)));
            } else {
                steps.put(step, step(line));
            }
        });
        List<Sample> samples = new ArrayList<>();
        readLines(
                run.resolve("samples.jsonl"),
                line -> samples.add(new Sample(
                        line.path("step").asLong(0),
                        line.path("prompt").asString(""),
                        line.path("text").asString(""))));
        List<JsonNode> events = new ArrayList<>();
        readLines(run.resolve("logs/events.jsonl"), events::add);
        Path configFile = run.resolve("config.yaml");
        String config = Files.exists(configFile) ? Files.readString(configFile) : "";
        return new RunHistory(steps, evaluations, samples, events, config, settings(config), Provenance.read(run));
    }

    /// A setting by its path, e.g. `run.name`; null where there is none.
    Object setting(String path) {
        Object at = settings;
        for (String key : path.split("\\.")) {
            at = at instanceof Map<?, ?> map ? map.get(key) : null;
        }
        return at;
    }

    /// The samples of each step, oldest first.
    Collection<List<Sample>> samplesByStep() {
        SortedMap<Long, List<Sample>> byStep = new TreeMap<>();
        samples.forEach(sample ->
                byStep.computeIfAbsent(sample.step(), _ -> new ArrayList<>()).add(sample));
        return byStep.values();
    }

    private static SortedMap<String, Double> sources(JsonNode line) {
        SortedMap<String, Double> sources = new TreeMap<>();
        line.propertyNames().stream()
                .filter(name -> name.startsWith(SOURCE))
                .forEach(name -> sources.put(name.substring(SOURCE.length()), number(line, name)));
        return sources;
    }

    private static Step step(JsonNode line) {
        return new Step(
                line.path("step").asLong(0),
                number(line, "loss"),
                number(line, "lr"),
                number(line, "grad_norm"),
                line.path("tokens").asLong(0),
                number(line, "tokens_per_second"),
                number(line, "seconds"),
                line.path("skipped").asBoolean(false));
    }

    private static double number(JsonNode line, String name) {
        JsonNode value = line.path(name);
        return value.isNumber() ? value.asDouble() : Double.NaN;
    }

    private static void readLines(Path file, Consumer<JsonNode> each) throws IOException {
        if (Files.exists(file)) {
            JsonLines.read(file, each);
        }
    }

    private static Map<?, ?> settings(String config) {
        try {
            Object root = new Load(LoadSettings.builder().build()).loadFromString(config);
            return root instanceof Map<?, ?> map ? map : Map.of();
        } catch (YamlEngineException e) {
            return Map.of();
        }
    }
}
