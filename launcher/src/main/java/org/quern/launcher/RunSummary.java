package org.quern.launcher;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.base.Json;
import org.quern.train.TrainEvent;

/// The result of a run: where it stands, and where things are.
final class RunSummary implements TrainEvent.Listener {
    private final Path run;
    private Optional<TrainEvent.Step> step = Optional.empty();
    private Optional<TrainEvent.Evaluation> evaluation = Optional.empty();
    private Optional<TrainEvent.CheckpointSaved> checkpoint = Optional.empty();
    private Optional<TrainEvent.Finished> finished = Optional.empty();

    RunSummary(Path run) {
        this.run = run;
    }

    @Override
    public void on(TrainEvent event) {
        switch (event) {
            case TrainEvent.Step e -> step = Optional.of(e);
            case TrainEvent.Evaluation e -> evaluation = Optional.of(e);
            case TrainEvent.CheckpointSaved e -> checkpoint = Optional.of(e);
            case TrainEvent.Finished e -> finished = Optional.of(e);
            case TrainEvent.Started _,
                    TrainEvent.Sample _,
                    TrainEvent.Spike _,
                    TrainEvent.CheckpointFailed _,
                    TrainEvent.CheckpointUploaded _,
                    TrainEvent.CheckpointUploadFailed _,
                    TrainEvent.Profiled _ -> {}
        }
    }

    /// Whether nothing has happened here: another process has the result.
    boolean isEmpty() {
        return finished.isEmpty();
    }

    /// One object in a line; what there was none of is left out.
    String json() {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("run", run.toString());
        finished.ifPresent(e -> {
            values.put("complete", e.complete());
            values.put("step", e.step());
            values.put("seconds", e.seconds());
        });
        step.ifPresent(e -> {
            values.put("loss", e.loss());
            values.put("tokens", e.tokens());
        });
        evaluation.ifPresent(e -> {
            values.put("val_loss", e.loss());
            if (!Double.isNaN(e.bitsPerByte())) {
                values.put("val_bpb", e.bitsPerByte());
            }
            e.sources().forEach(source -> values.put("val_loss/" + source.name(), source.loss()));
        });
        checkpoint.ifPresent(e -> values.put("checkpoint", e.folder().toString()));
        return Json.MAPPER.writeValueAsString(values);
    }

    String text() {
        StringBuilder text = new StringBuilder("run         ").append(run);
        step.ifPresent(e -> text.append("\nloss        %.4f after step %d".formatted(e.loss(), e.step())));
        evaluation.ifPresent(e -> {
            text.append("\nvalidation  loss %.4f".formatted(e.loss()));
            if (!Double.isNaN(e.bitsPerByte())) {
                text.append(", %.4f bits a byte".formatted(e.bitsPerByte()));
            }
            e.sources().forEach(source -> text.append("\n  %-10sloss %.4f".formatted(source.name(), source.loss())));
        });
        checkpoint.ifPresent(e -> text.append("\ncheckpoint  ").append(e.folder()));
        text.append("\nreport      ").append(run.resolve("report.html"));
        text.append("\nwrite       ").append(Shell.command(List.of("generate", run.toString(), "--prompt", "It is")));
        return text.toString();
    }
}
