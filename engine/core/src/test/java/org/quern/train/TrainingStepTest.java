package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.quern.checkpoint.NamedTensor;
import org.quern.config.RunConfig;
import org.quern.data.Batches;
import org.quern.data.SampleOrder;
import org.quern.data.TokenShards;
import org.quern.data.TokenizedCorpus;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Executor;
import org.quern.executor.Milestone;
import org.quern.executor.OperationListener;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.gpu.DeviceProperties;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.Recompute;
import org.quern.graph.Schedule;
import org.quern.interop.ModelWeights;
import org.quern.model.Initialization;
import org.quern.model.Model;
import org.quern.optimizer.LearningRate;
import org.quern.tokenizer.Tokenizer;

/// Steps by hand, as [Trainer] takes them.
class TrainingStepTest {
    @TempDir
    Path folder;

    /// A run, and beside it the same steps without the updates that its spike guard left out.
    @Test
    void leavesOutTheUpdatesOfSpikes() {
        TinyRun tiny = new TinyRun(folder);
        TinyRun.write(folder.resolve("outlier.txt"), "QXJZ VKWQ JJXQ ZZKV WQXJ 0192 8374 6501 QZXV JKQW ".repeat(2));
        String[] overrides = Stream.concat(
                        Stream.of(tiny.text()),
                        Stream.of(
                                "data={text: [%1$s/text.jsonl, %1$s/outlier.txt], validation: [%1$s/text.jsonl]}"
                                        .formatted(folder),
                                "train={steps: 60, global_batch: 2, sequence_length: 13}",
                                "train.spike_guard={window: 8, z_score: 6}",
                                "checkpoint.every=60",
                                "workers.shares=1"))
                .toArray(String[]::new);
        List<TrainEvent> events = tiny.train("run", overrides);
        List<TrainEvent.Spike> spikes = TinyRun.only(TrainEvent.Spike.class, events);
        assertThat(spikes)
                .isNotEmpty()
                .allSatisfy(spike ->
                        assertThat(spike.documents()).contains("outlier.txt:1").doesNotHaveDuplicates());
        Set<Long> left = spikes.stream().map(TrainEvent.Spike::step).collect(Collectors.toCollection(HashSet::new));
        assertThat(TinyRun.only(TrainEvent.Step.class, events))
                .allSatisfy(step -> assertThat(step.skipped()).isEqualTo(left.contains(step.step())));

        RunConfig config = tiny.config(overrides);
        Path data = tiny.run("run").resolve("data");
        Tokenizer tokenizer = Tokenizer.read(data.resolve("tokenizer.json"));
        try (CpuExecutor executor = new CpuExecutor(1)) {
            Model model = Model.of(config.modelConfig(tokenizer.vocabSize()));
            TrainingStep step = new TrainingStep(
                    executor,
                    model,
                    config.optimizerSettings(),
                    Sharing.whole(2, 1),
                    13,
                    Recompute.NONE,
                    Workers.alone());
            initialize(model, executor);
            TokenShards shards = TokenizedCorpus.open(data, tokenizer).train();
            SampleOrder order = SampleOrder.shuffled(Batches.samples(shards, 13), 3);
            Batches batches = new Batches(shards, order, 13, false);
            LearningRate schedule = config.learningRate();
            long updates = 0;
            for (long s = 0; s < 60; s++) {
                step.gradient(batches, 2 * s);
                step.gradNorm();
                if (!left.contains(s + 1)) {
                    step.update(updates++, schedule.fraction(s));
                }
            }
            List<NamedTensor> weights = ModelWeights.views(model.parameters(), executor.tensors()::host);
            TinyRun.assertHolds(tiny.checkpoint("run", 60).resolve("model.safetensors"), weights);
        }
    }

    @Test
    void allocatesNothingBesideTheDevice() {
        TinyRun tiny = new TinyRun(folder);
        try (CpuExecutor executor = new CpuExecutor(1)) {
            long[] least = {Long.MAX_VALUE};
            allocated(tiny, new IdleExecutor(executor))
                    .limit(300)
                    .forEach(bytes -> least[0] = Math.min(least[0], bytes));
            assertThat(least[0]).isLessThan(1000);
        }
    }

    /// On the CPU as soon as all is compiled: an interpreter allocates vectors.
    @Test
    @Tag("slow")
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void allocatesNothing() {
        TinyRun tiny = new TinyRun(folder);
        try (CpuExecutor executor = new CpuExecutor(1)) {
            assertThat(allocated(tiny, executor, "model.hidden_size=64")).anyMatch(bytes -> bytes < 1000);
        }
    }

    /// Bytes of heap that each step allocates, without end.
    private LongStream allocated(TinyRun tiny, Executor executor, String... overrides) {
        RunConfig config = tiny.config(overrides);
        Model model = Model.of(config.modelConfig(61));
        TrainingStep step = new TrainingStep(
                executor, model, config.optimizerSettings(), Sharing.whole(1, 2), 13, Recompute.NONE, Workers.alone());
        initialize(model, executor);
        TokenShards shards = TokenizedCorpus.openLlmc(List.of(folder.resolve("train.bin")), List.of(), 61, 0)
                .train();
        Batches batches = new Batches(shards, SampleOrder.shuffled(Batches.samples(shards, 13), 3), 13, true);
        ThreadMXBean threads = ManagementFactory.getPlatformMXBean(ThreadMXBean.class);
        return LongStream.iterate(0, s -> s + 1).map(s -> {
            long before = threads.getCurrentThreadAllocatedBytes();
            step.gradient(batches, 2 * s);
            step.gradNorm();
            step.update(s, 1);
            return threads.getCurrentThreadAllocatedBytes() - before;
        });
    }

    /// Prepares programs and does not run them.
    private record IdleExecutor(Executor executor) implements Executor {
        @Override
        public TensorStore tensors() {
            return executor.tensors();
        }

        @Override
        public Program prepare(Graph graph, List<Milestone> milestones) {
            Program program = executor.prepare(graph, milestones);
            return new Program() {
                @Override
                public void run() {}

                @Override
                public Schedule schedule() {
                    return program.schedule();
                }

                @Override
                public MemoryPlan memoryPlan() {
                    return program.memoryPlan();
                }
            };
        }

        @Override
        public void observe(Optional<OperationListener> listener) {
            executor.observe(listener);
        }

        @Override
        public String clock() {
            return executor.clock();
        }

        @Override
        public Optional<DeviceProperties> gpu() {
            return executor.gpu();
        }

        @Override
        public String description() {
            return executor.description();
        }

        @Override
        public void close() {
            executor.close();
        }
    }

    private static void initialize(Model model, Executor executor) {
        for (int i = 0; i < model.parameters().size(); i++) {
            String name = model.parameters().get(i).name();
            Initialization.fill(model.parameters(), i, 3, executor.tensors().host(name));
        }
    }
}
