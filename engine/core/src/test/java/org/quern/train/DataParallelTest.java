package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.QuernException;
import org.quern.executor.CpuExecutor;

/// Workers that share the batches of a run.
class DataParallelTest {
    private static final String BATCH = "train={steps: 12, global_batch: 8, micro_batch: 1, sequence_length: 13}";
    private static final String MUON = "optimizer={name: muon, lr: 1e-2, muon: {lr: 0.02}}";

    @TempDir
    Path folder;

    /// The loss of each step is that of one worker, to the last bit, and so is what is written.
    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void trainsTheSameWeightsWhateverTheNumberOfWorkers(int world) {
        TinyRun tiny = new TinyRun(folder);
        for (String optimizer : List.of("optimizer={lr: 1e-2}", MUON)) {
            String alone = "alone" + optimizer.length();
            String together = "together" + optimizer.length();
            tiny.train(alone, BATCH, optimizer);
            List<List<TrainEvent>> events = tiny.trainTogether(world, TinyRun.STEPS, together, BATCH, optimizer);
            tiny.assertSameBits(alone, together, TinyRun.STEPS);
            assertThat(losses(tiny, together)).isEqualTo(losses(tiny, alone)).hasSize(TinyRun.STEPS + 3);
            assertThat(events)
                    .allSatisfy(each -> assertThat(TinyRun.only(TrainEvent.Step.class, each))
                            .extracting(TrainEvent.Step::loss)
                            .isEqualTo(TinyRun.only(TrainEvent.Step.class, events.getFirst()).stream()
                                    .map(TrainEvent.Step::loss)
                                    .toList()));
        }
    }

    private static List<String> losses(TinyRun tiny, String run) {
        return tiny.lines(run, "metrics.jsonl").stream()
                .map(line -> line.path("loss") + " " + line.path("grad_norm") + " " + line.path("val_loss"))
                .toList();
    }

    /// Many buckets, with and without the optimiser's states dealt out.
    @ParameterizedTest
    @CsvSource({"2, false, 512", "2, true, 512", "4, true, 4096", "4, false, 100000", "4, true, 1", "8, true, 2000"})
    void stepsTheSameWithManyBuckets(int world, boolean shardOptimizer, long bucketBytes) throws Exception {
        Sharing sharing = new Sharing(8, 1, 1, shardOptimizer, bucketBytes);
        new DataParallelSteps(folder, MUON).assertSameWeights(world, sharing, () -> new CpuExecutor(1));
    }

    @Test
    void goesOnWithAnotherNumberOfWorkers() {
        TinyRun tiny = new TinyRun(folder);
        tiny.train("alone", BATCH);
        tiny.trainTogether(2, 2, "run", BATCH);
        tiny.trainTogether(4, 5, "run", BATCH);
        tiny.trainUntil(7, "run", BATCH);
        tiny.trainTogether(2, TinyRun.STEPS, "run", BATCH);
        tiny.assertSameBits("alone", "run", TinyRun.STEPS);
    }

    @Test
    void mixesSourcesTheSameWhateverTheNumberOfWorkers() {
        TinyRun tiny = new TinyRun(folder);
        String[] mixture =
                Stream.concat(Stream.of(tiny.mixture()), Stream.of(BATCH)).toArray(String[]::new);
        tiny.train("alone", mixture);
        tiny.trainTogether(2, 5, "run", mixture);
        tiny.trainTogether(4, 8, "run", mixture);
        tiny.trainUntil(9, "run", mixture);
        tiny.trainTogether(2, TinyRun.STEPS, "run", mixture);
        tiny.assertSameBits("alone", "run", TinyRun.STEPS);
        assertThat(losses(tiny, "run")).isEqualTo(losses(tiny, "alone"));
    }

    /// Files hold what their writers own; whoever reads needs not know who wrote.
    @Test
    void goesOnFromStatesThatWereDealtOut() {
        TinyRun tiny = new TinyRun(folder);
        for (String optimizer : List.of("optimizer={lr: 1e-2}", MUON)) {
            String alone = "alone" + optimizer.length();
            String run = "run" + optimizer.length();
            tiny.train(alone, BATCH, optimizer);
            tiny.trainTogether(2, 2, run, BATCH, optimizer, "workers.zero_stage=1");
            assertThat(tiny.checkpoint(run, 2))
                    .isDirectoryContaining("glob:**/optimizer-00001-of-00002.safetensors")
                    .isDirectoryContaining("glob:**/optimizer-00002-of-00002.safetensors");
            tiny.trainTogether(4, 5, run, BATCH, optimizer, "workers.zero_stage=1");
            assertThat(tiny.checkpoint(run, 5)).isDirectoryContaining("glob:**/optimizer-00004-of-00004.safetensors");
            tiny.trainUntil(7, run, BATCH, optimizer);
            tiny.trainTogether(2, TinyRun.STEPS, run, BATCH, optimizer, "workers.zero_stage=1");
            tiny.assertSameBits(alone, run, TinyRun.STEPS);
        }
    }

    /// The cut of the batch stays what it was where the configuration leaves it open.
    @Test
    void keepsTheCutOfItsCheckpoint() {
        TinyRun tiny = new TinyRun(folder);
        tiny.train("alone", BATCH, "workers.shares=8");
        tiny.trainTogether(2, 5, "run", BATCH, "workers.shares=8");
        tiny.trainTogether(4, TinyRun.STEPS, "run", BATCH);
        tiny.assertSameBits("alone", "run", TinyRun.STEPS);
    }

    @Test
    void trainsOnTextWithSamples() {
        TinyRun tiny = new TinyRun(folder);
        String[] text = Stream.concat(Stream.of(tiny.text()), Stream.of(BATCH)).toArray(String[]::new);
        tiny.train("alone", text);
        tiny.trainTogether(2, TinyRun.STEPS, "run", text);
        assertThat(tiny.lines("run", "samples.jsonl")).isEqualTo(tiny.lines("alone", "samples.jsonl"));
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 5, 16})
    void refusesWorkersThatCannotShareABatch(int world) {
        TinyRun tiny = new TinyRun(folder);
        assertThatThrownBy(() -> RunPlan.of(tiny.config(BATCH), Device.thisMachine(), world))
                .isInstanceOf(QuernException.class)
                .hasMessage("the number of workers must divide train.global_batch 8: got " + world);
    }

    @Test
    void refusesSharesThatDoNotFit() {
        TinyRun tiny = new TinyRun(folder);
        assertThatThrownBy(() -> tiny.config(BATCH, "workers.shares=3"))
                .hasMessageContaining("workers.shares must divide train.global_batch 8: got 3 (try 2 or 4)");
        assertThatThrownBy(() -> tiny.config(BATCH, "train.micro_batch=4", "workers.shares=4"))
                .hasMessageContaining(
                        "train.micro_batch must divide the 2 sequences of each of 4 shares: got 4 (try 2)");
        assertThatThrownBy(() -> RunPlan.of(tiny.config(BATCH, "workers.shares=2"), Device.thisMachine(), 4))
                .hasMessage("the number of workers must divide workers.shares 2: got 4");
    }
}
