package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.train.TrainEvent;

class ProgressDisplayTest {
    private static final long SECOND = 1_000_000_000L;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private long now = SECOND;

    /// A run of ten steps, four seconds each.
    private String show(int columns) {
        PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        TrainEvent.Listener display = new ProgressDisplay(new Terminal(out, columns), () -> now);
        display.on(new TrainEvent.Started(Path.of("runs/x"), 0, 10, 4096, "the plan"));
        for (int step = 1; step <= 10; step++) {
            now += 4 * SECOND;
            display.on(new TrainEvent.Step(step, 8.0 / step, 1e-3, 1, 4096L * step, 1024, 4 * step, false));
            if (step == 5) {
                now += 100 * SECOND;
                display.on(new TrainEvent.Evaluation(step, 1.5, 0.75, 100, List.of()));
                display.on(new TrainEvent.Sample(step, "It is", " a truth"));
            }
        }
        display.on(new TrainEvent.Spike(10, 9, 9, "loss 9 is far", List.of("a.txt", "b.txt")));
        display.on(new TrainEvent.CheckpointFailed(10, "no space"));
        display.on(new TrainEvent.Finished(10, true, 3601));
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @Test
    void printsALineEveryTenSecondsWhereNobodyWatches() {
        assertThat(show(0)).isEqualTo("""
                        the plan
                        starting: step 0 of 10 in runs/x
                        step 1/10  loss 8.0000  lr 1.00e-03  1,024 tokens/s  0:36 left
                        step 4/10  loss 2.0000  lr 1.00e-03  1,024 tokens/s  0:24 left
                        step 5: validation loss 1.5000, 0.7500 bits a byte
                        step 5: It is| a truth
                        step 6/10  loss 1.3333  lr 1.00e-03  1,024 tokens/s  0:16 left
                        step 9/10  loss 0.8889  lr 1.00e-03  1,024 tokens/s  0:04 left
                        step 10/10  loss 0.8000  lr 1.00e-03  1,024 tokens/s  0:00 left
                        step 10 left out: loss 9 is far (documents: a.txt, b.txt)
                        step 10: the checkpoint could not be saved, the run goes on: no space
                        done at step 10 after 1:00:01
                        """);
    }

    @Test
    void movesABarBelowTheLinesOfATerminal() {
        String bar = "━━━━━━━━━━━━──────────── 5/10  loss 1.6000  lr 1.00e-03  1,024 tokens/s  0:20 left";
        assertThat(show(100))
                .contains("\r\033[K" + bar)
                .contains("\r\033[Kstep 5: validation loss 1.5000, 0.7500 bits a byte\n" + bar)
                .endsWith("done at step 10 after 1:00:01\n");
    }

    @Test
    void keepsTheBarWithinTheWidth() {
        assertThat(show(30).split("\r\033\\[K"))
                .allSatisfy(part ->
                        assertThat(part.substring(part.lastIndexOf('\n') + 1)).hasSizeLessThan(30));
    }
}
