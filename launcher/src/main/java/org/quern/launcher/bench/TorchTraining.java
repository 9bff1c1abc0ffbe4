package org.quern.launcher.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Architecture;
import org.quern.train.RunPlan;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// PyTorch, which trains the same model in a process of its own: `train_torch.py`.
public final class TorchTraining {
    private static final String SCRIPT = "/bench/train_torch.py";

    private TorchTraining() {}

    /// What PyTorch needed.
    ///
    /// @param version PyTorch's
    /// @param way `eager` or `compiled`
    /// @param seconds of each step; empty if it failed
    /// @param memoryBytes of the GPU at most; 0 on a CPU
    /// @param error why it failed; else empty
    public record Result(String version, String way, List<Double> seconds, long memoryBytes, String error) {}

    /// @param python an interpreter with torch
    /// @param bench whose device is known
    /// @param each told what was measured
    /// @throws QuernException if it cannot be started, or does not come to its end
    public static void run(String python, TrainingBench bench, Consumer<Result> each) {
        try (InputStream in = TorchTraining.class.getResourceAsStream(SCRIPT)) {
            String script = new String(Objects.requireNonNull(in, SCRIPT).readAllBytes(), StandardCharsets.UTF_8);
            Process process = new ProcessBuilder(python, "-c", script, Json.MAPPER.writeValueAsString(question(bench)))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (BufferedReader lines = process.inputReader()) {
                String version = answer(python, lines).path("torch").asString("of unknown version");
                for (int way = 0; way < 2; way++) {
                    each.accept(result(version, answer(python, lines)));
                }
            } finally {
                process.destroy();
            }
        } catch (IOException e) {
            throw QuernException.data("%s cannot be run: %s".formatted(python, e.getMessage()));
        }
    }

    private static Map<String, Object> question(TrainingBench bench) {
        RunConfig config = bench.config();
        ModelConfig model = bench.model();
        RunPlan plan = bench.plan().orElseThrow();
        boolean onGpu = plan.device().gpu().isPresent();
        Map<String, Object> question = new LinkedHashMap<>();
        question.put("architecture", model.architecture() == Architecture.GPT2 ? "gpt2" : "llama");
        question.put("vocabulary", model.vocabSize());
        question.put("hidden", model.hiddenSize());
        question.put("intermediate", model.intermediateSize());
        question.put("layers", model.numHiddenLayers());
        question.put("heads", model.numAttentionHeads());
        question.put("kv_heads", model.numKeyValueHeads());
        question.put("head_size", model.headDim());
        question.put(
                "act",
                switch (model.hiddenAct()) {
                    case GELU_TANH -> "gelu_tanh";
                    case SILU -> "silu";
                    case RELU_SQUARED -> "relu_squared";
                });
        question.put("theta", model.ropeTheta());
        question.put("tied", model.tieWordEmbeddings());
        question.put("length", config.train().sequenceLength());
        question.put("global_batch", config.train().globalBatch());
        // Shares are dealt out for the sake of order alone: PyTorch may take them at once.
        question.put("micro_batch", plan.microBatch() * plan.cut().shares());
        question.put("steps", (int) config.train().steps());
        question.put("clip", config.train().clipGradNorm().orElse(0.0));
        question.put("threads", onGpu ? 0 : bench.threads());
        String device = config.run().device();
        question.put("device", onGpu ? (device.contains(":") ? device : "cuda:0") : "cpu");
        return question;
    }

    private static JsonNode answer(String python, BufferedReader lines) throws IOException {
        String line = lines.readLine();
        if (line == null) {
            throw QuernException.data(
                    python + " ended; what it printed is above. It needs torch, and on a GPU one that torch can use.");
        }
        try {
            return Json.MAPPER.readTree(line);
        } catch (JacksonException e) {
            throw QuernException.data("%s printed no JSON: %s".formatted(python, line));
        }
    }

    private static Result result(String version, JsonNode answer) {
        List<Double> seconds = new ArrayList<>();
        answer.path("seconds").forEach(one -> seconds.add(one.asDouble()));
        return new Result(
                version,
                answer.path("way").asString(""),
                seconds,
                answer.path("memory").asLong(0),
                answer.path("error").asString(""));
    }
}
