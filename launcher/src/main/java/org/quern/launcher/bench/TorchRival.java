package org.quern.launcher.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.quern.base.Json;
import org.quern.gpu.GpuException;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.Rival;
import org.quern.kernels.bench.Timing;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// PyTorch in a process of its own, which times the same work between our turns: `bench_kernels.py` in the kernels'
/// jar.
public final class TorchRival implements Rival, AutoCloseable {
    private static final String SCRIPT = "/python/bench_kernels.py";
    private static final int SECONDS_TO_END = 10;

    private static final int MOST_STARTS = 3;

    private final String python;
    private final String device;
    private final String command;
    private final String version;
    private Process process;
    private BufferedWriter questions;
    private BufferedReader answers;
    private int starts;

    /// Starts it.
    ///
    /// @param python the interpreter, with torch
    /// @param device `cuda:0` or `cpu`
    /// @throws GpuException if it cannot be started, or has no torch or no GPU
    public TorchRival(String python, String device) {
        this.python = python;
        this.device = device;
        command = python + " " + SCRIPT.substring(SCRIPT.lastIndexOf('/') + 1);
        version = start();
    }

    /// @return PyTorch's version
    private String start() {
        starts++;
        try (InputStream script = KernelBenchmark.class.getResourceAsStream(SCRIPT)) {
            String text = new String(Objects.requireNonNull(script, SCRIPT).readAllBytes(), StandardCharsets.UTF_8);
            process = new ProcessBuilder(python, "-c", text, "--device", device)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
        } catch (IOException e) {
            throw new GpuException(
                    "%s cannot be run: %s.".formatted(python, e.getMessage().strip()), e);
        }
        questions = process.outputWriter(StandardCharsets.UTF_8);
        answers = process.inputReader(StandardCharsets.UTF_8);
        return answer().path("torch").asString("of unknown version");
    }

    @Override
    public String name() {
        return "PyTorch";
    }

    /// PyTorch's version.
    public String version() {
        return version;
    }

    @Override
    public Map<String, Timing> time(KernelBenchmark benchmark, double seconds) {
        if (benchmark.question().isEmpty()) {
            return Map.of();
        }
        Map<String, Object> question = new LinkedHashMap<>(benchmark.question());
        question.put("seconds", seconds);
        JsonNode answer = ask(Json.MAPPER.writeValueAsString(question));
        if (answer.has("error")) {
            throw new GpuException(answer.get("error").asString());
        }
        Map<String, Timing> times = new LinkedHashMap<>();
        answer.path("times").forEachEntry((way, rounds) -> {
            List<Double> values = new ArrayList<>();
            rounds.forEach(round -> values.add(round.asDouble()));
            times.put(way.equals("torch") ? name() : name() + " " + way, new Timing(values));
        });
        return times;
    }

    /// Once more where it ended, as it does after an answer that broke the device for it.
    private JsonNode ask(String question) {
        try {
            return askOnce(question);
        } catch (Ended e) {
            if (starts == MOST_STARTS) {
                throw e;
            }
            start();
            return askOnce(question);
        }
    }

    private JsonNode askOnce(String question) {
        try {
            questions.write(question);
            questions.newLine();
            questions.flush();
        } catch (IOException e) {
            throw new Ended(command, e);
        }
        return answer();
    }

    private JsonNode answer() {
        try {
            String line = answers.readLine();
            if (line == null) {
                throw new Ended(command, null);
            }
            return Json.MAPPER.readTree(line);
        } catch (IOException e) {
            throw new Ended(command, e);
        } catch (JacksonException e) {
            throw new GpuException("%s printed no JSON: %s.".formatted(command, e.getOriginalMessage()), e);
        }
    }

    private static final class Ended extends GpuException {
        private static final long serialVersionUID = 1L;

        Ended(String command, IOException cause) {
            super(command + " ended; what it printed is above. It needs torch, and a GPU that torch can use.", cause);
        }
    }

    @Override
    public void close() {
        try {
            questions.close();
            if (!process.waitFor(SECONDS_TO_END, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException _) {
            // It has ended already.
        } catch (InterruptedException _) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
