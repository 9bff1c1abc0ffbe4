package org.quern.launcher;

import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.quern.train.Preparation;
import org.quern.train.TrainEvent;
import org.quern.train.Units;

/// Shows a training run on standard error: on a terminal as a bar that moves, elsewhere as a line every ten seconds;
/// evaluations, samples and what is out of the ordinary as lines of their own.
final class ProgressDisplay implements TrainEvent.Listener, Preparation {
    private static final int BAR_CELLS = 24;
    private static final double REDRAW_SECONDS = 0.1;
    private static final double LINE_SECONDS = 10;
    /// The weight of a new step in the mean time of a step.
    private static final double NEW = 0.1;

    /// The step that the mean begins with: the first also compiles and allocates.
    private static final int FIRST_MEASURED = 2;

    private final Terminal terminal;
    private final LongSupplier nanos;
    private String preparation = "";
    private long steps;
    private long shown;
    private long lastStep;
    private int taken;
    private double meanStepNanos;

    ProgressDisplay(Terminal terminal) {
        this(terminal, System::nanoTime);
    }

    /// @param nanos the clock
    ProgressDisplay(Terminal terminal, LongSupplier nanos) {
        this.terminal = terminal;
        this.nanos = nanos;
    }

    @Override
    public void on(TrainEvent event) {
        switch (event) {
            case TrainEvent.Started started -> started(started);
            case TrainEvent.Step step -> step(step);
            case TrainEvent.Evaluation e -> {
                String bits = Double.isNaN(e.bitsPerByte()) ? "" : ", %.4f bits a byte".formatted(e.bitsPerByte());
                String sources = e.sources().stream()
                        .map(source -> "%s %.4f".formatted(source.name(), source.loss()))
                        .collect(Collectors.joining(", "));
                line("step %d: validation loss %.4f%s%s"
                        .formatted(e.step(), e.loss(), bits, sources.isEmpty() ? "" : " (" + sources + ")"));
            }
            case TrainEvent.Sample s -> line("step %d: %s|%s".formatted(s.step(), s.prompt(), s.text()));
            case TrainEvent.Spike s ->
                line("step %d left out: %s (documents: %s)"
                        .formatted(s.step(), s.reason(), String.join(", ", s.documents())));
            case TrainEvent.CheckpointSaved s ->
                line("step %d: saved %s, %s (training stood still for %.2f s, writing took %.2f s)"
                        .formatted(s.step(), s.folder(), Units.bytes(s.bytes()), s.stallSeconds(), s.writeSeconds()));
            case TrainEvent.CheckpointFailed f ->
                line("step %d: the checkpoint could not be saved, the run goes on: %s".formatted(f.step(), f.reason()));
            case TrainEvent.CheckpointUploaded u ->
                line("step %d: uploaded to %s, %s in %.1f s"
                        .formatted(u.step(), u.place(), Units.bytes(u.bytes()), u.seconds()));
            case TrainEvent.CheckpointUploadFailed f ->
                line("step %d: the checkpoint could not be uploaded, the run goes on and tries again with the next: %s"
                        .formatted(f.step(), f.reason()));
            case TrainEvent.Profiled p -> {
                line(p.table());
                p.folder()
                        .ifPresent(
                                folder -> line("step %d: saved this and a trace for chrome://tracing or Perfetto in %s"
                                        .formatted(p.step(), folder)));
            }
            case TrainEvent.Finished f -> {
                terminal.status("");
                line("%s at step %d after %s"
                        .formatted(f.complete() ? "done" : "stopped", f.step(), Units.duration(f.seconds())));
            }
        }
        // What is not a step takes time of its own, which is not that of the next step.
        lastStep = nanos.getAsLong();
    }

    @Override
    public void update(String what, long done, long total) {
        if (!what.equals(preparation)) {
            preparation = what;
            terminal.print(what);
        }
        boolean ended = done == total;
        terminal.status(ended ? "" : "%s %d %%".formatted(bar(done, total), 100 * done / total));
    }

    private void started(TrainEvent.Started event) {
        steps = event.steps();
        terminal.print(event.plan());
        line("%s: step %d of %d in %s"
                .formatted(
                        event.firstStep() == 0 ? "starting" : "going on",
                        event.firstStep(),
                        event.steps(),
                        event.run()));
    }

    private void step(TrainEvent.Step step) {
        long now = nanos.getAsLong();
        double stepNanos = now - lastStep;
        taken++;
        meanStepNanos = taken <= FIRST_MEASURED ? stepNanos : (1 - NEW) * meanStepNanos + NEW * stepNanos;
        boolean end = step.step() == steps;
        double interval = terminal.isInteractive() ? REDRAW_SECONDS : LINE_SECONDS;
        if (shown != 0 && now - shown < interval * 1e9 && !end) {
            return;
        }
        shown = now;
        String numbers = "loss %.4f  lr %.2e  %,.0f tokens/s  %s left"
                .formatted(
                        step.loss(),
                        step.lr(),
                        step.tokensPerSecond(),
                        Units.duration((steps - step.step()) * meanStepNanos / 1e9));
        if (terminal.isInteractive()) {
            terminal.status("%s %d/%d  %s".formatted(bar(step.step(), steps), step.step(), steps, numbers));
        } else {
            line("step %d/%d  %s".formatted(step.step(), steps, numbers));
        }
    }

    private void line(String text) {
        terminal.print(text);
    }

    /// A bar of fixed width.
    static String bar(long done, long all) {
        int full = (int) (BAR_CELLS * done / all);
        return "━".repeat(full) + "─".repeat(BAR_CELLS - full);
    }
}
