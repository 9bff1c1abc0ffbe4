package org.quern.train.metrics;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import org.quern.base.QuernException;
import org.quern.train.TrainEvent;

/// Writes what happens in a run into its folder, a JSON object a line:
///
/// - `metrics.jsonl`, a line a step: `step`, `loss`, `lr`, `grad_norm`, `tokens`, `tokens_per_second`, `seconds`,
///   and `"skipped": true` where the spike guard left the weights alone; a line an evaluation: `step`, `val_loss`,
/// `val_bpb`, and for each source of a mixture `val_loss/NAME` and `val_bpb/NAME`. A number that is not finite
/// is `null`.
/// - `samples.jsonl`: `step`, `prompt`, `text`.
/// - `logs/events.jsonl`: starts, spikes, checkpoints and ends, with their times.
///
/// When a run goes on from a step, metrics and samples of later steps, which a killed run may have left, are
/// removed. `logs/events.jsonl` keeps everything: it is what happened.
public final class MetricsFile implements TrainEvent.Listener, AutoCloseable {
    private static final String METRICS = "metrics.jsonl";
    private static final String SAMPLES = "samples.jsonl";

    private JsonLines metrics;
    private JsonLines samples;
    private JsonLines events;

    @Override
    public void on(TrainEvent event) {
        switch (event) {
            case TrainEvent.Started e -> {
                open(e.run(), e.firstStep());
                history("started", e.firstStep(), Map.of("steps", e.steps(), "tokens_per_step", e.tokensPerStep()));
            }
            case TrainEvent.Step e -> metrics.append(line(e));
            case TrainEvent.Evaluation e -> {
                Map<String, Object> line = new LinkedHashMap<>();
                line.put("step", e.step());
                line.put("val_loss", JsonLines.finite(e.loss()));
                line.put("val_bpb", JsonLines.finite(e.bitsPerByte()));
                e.sources().forEach(source -> {
                    line.put("val_loss/" + source.name(), JsonLines.finite(source.loss()));
                    line.put("val_bpb/" + source.name(), JsonLines.finite(source.bitsPerByte()));
                });
                metrics.append(line);
            }
            case TrainEvent.Sample e -> {
                Map<String, Object> line = new LinkedHashMap<>();
                line.put("step", e.step());
                line.put("prompt", e.prompt());
                line.put("text", e.text());
                samples.append(line);
            }
            case TrainEvent.Spike e ->
                history("spike", e.step(), Map.of("reason", e.reason(), "documents", e.documents()));
            case TrainEvent.CheckpointSaved e ->
                history(
                        "checkpoint",
                        e.step(),
                        Map.of(
                                "folder",
                                e.folder().getFileName().toString(),
                                "bytes",
                                e.bytes(),
                                "stall_seconds",
                                rounded(e.stallSeconds(), 1000),
                                "write_seconds",
                                rounded(e.writeSeconds(), 1000)));
            case TrainEvent.CheckpointFailed e -> history("checkpoint_failed", e.step(), Map.of("reason", e.reason()));
            case TrainEvent.CheckpointUploaded e ->
                history(
                        "checkpoint_uploaded",
                        e.step(),
                        Map.of("place", e.place(), "bytes", e.bytes(), "seconds", rounded(e.seconds(), 1000)));
            case TrainEvent.CheckpointUploadFailed e ->
                history("checkpoint_upload_failed", e.step(), Map.of("reason", e.reason()));
            case TrainEvent.Profiled e -> history("profiled", e.step(), Map.of());
            case TrainEvent.Finished e -> history("finished", e.step(), Map.of("complete", e.complete()));
        }
    }

    @Override
    public void close() {
        if (events != null) {
            metrics.close();
            samples.close();
            events.close();
        }
    }

    /// Whether a run's file has an evaluation of a step.
    public static boolean hasEvaluation(Path run, long step) {
        return count(run.resolve(METRICS), step, "val_loss") > 0;
    }

    /// How many samples of a step a run's file has.
    public static int samples(Path run, long step) {
        return count(run.resolve(SAMPLES), step, "text");
    }

    private static int count(Path file, long step, String key) {
        if (!Files.exists(file)) {
            return 0;
        }
        int[] found = {0};
        try {
            JsonLines.read(file, line -> {
                if (line.has(key) && line.path("step").asLong() == step) {
                    found[0]++;
                }
            });
        } catch (IOException e) {
            throw QuernException.io("cannot read %s".formatted(file), e);
        }
        return found[0];
    }

    private void open(Path run, long step) {
        metrics = new JsonLines(run.resolve(METRICS), step);
        samples = new JsonLines(run.resolve(SAMPLES), step);
        events = new JsonLines(run.resolve("logs/events.jsonl"), Long.MAX_VALUE);
    }

    private static Map<String, Object> line(TrainEvent.Step e) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("step", e.step());
        line.put("loss", JsonLines.finite(e.loss()));
        line.put("lr", JsonLines.finite(e.lr()));
        line.put("grad_norm", JsonLines.finite(e.gradNorm()));
        line.put("tokens", e.tokens());
        line.put("tokens_per_second", rounded(e.tokensPerSecond(), 10));
        line.put("seconds", rounded(e.seconds(), 1000));
        if (e.skipped()) {
            line.put("skipped", true);
        }
        return line;
    }

    private static Double rounded(double value, double unit) {
        return JsonLines.finite(Math.rint(value * unit) / unit);
    }

    private void history(String event, long step, Map<String, Object> details) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        line.put("event", event);
        line.put("step", step);
        line.putAll(details);
        events.append(line);
    }
}
