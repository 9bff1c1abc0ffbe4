package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.config.RunConfig;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Executor;
import org.quern.executor.Milestone;
import org.quern.executor.OperationListener;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.generate.GraphDecoder;
import org.quern.gpu.DeviceProperties;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.MixedPrecision;
import org.quern.graph.Recompute;
import org.quern.graph.Schedule;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;

class RunPlanTest {
    @TempDir
    Path folder;

    private TinyRun tiny;

    @BeforeEach
    void writeConfig() {
        tiny = new TinyRun(folder);
    }

    /// Parameters as transformers counts them, for GPT-2 with 47 rows of padding in the vocabulary.
    @ParameterizedTest
    @CsvSource({
        "gpt2-124m, 124475904",
        "gpt2-350m, 354871296",
        "gpt2-774m, 774090240",
        "gpt2-1558m, 1557686400",
        "llama3.1-8b, 8030261248"
    })
    void plansTheRecipesWithoutTheirData(String recipe, long parameters) {
        RunConfig config = recipe(recipe, "train.micro_batch=1");
        RunPlan plan = RunPlan.of(config, Device.thisMachine());
        assertThat(plan.parameters()).isEqualTo(parameters);
        assertThat(plan.memory().weights()).isEqualTo(4 * parameters);
        assertThat(plan.memory().gradients()).isEqualTo(4 * parameters);
        assertThat(plan.memory().optimizer()).isEqualTo(8 * parameters);
        assertThat(plan.toString()).contains("%,d".formatted(parameters));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "run={}",
                "optimizer={name: muon, lr: 1e-2, muon: {lr: 0.02}}",
                "optimizer={lr: 1e-2, moments: bfloat16}",
                "model={architecture: gpt2, hidden_size: 24, num_hidden_layers: 3, num_attention_heads: 2}",
                "train={steps: 3, global_batch: 8, micro_batch: 8, sequence_length: 64}",
                "train.recompute=activations",
                "train.recompute=block"
            })
    void plansWhatIsAllocated(String override) {
        List<String> overrides = new ArrayList<>(List.of(tiny.text()));
        overrides.add(override);
        RunConfig config = tiny.config(overrides.toArray(String[]::new));
        Model model = Model.of(config.modelConfig(270));
        RunPlan plan = RunPlan.of(config, Device.thisMachine());
        try (RecordingExecutor executor = new RecordingExecutor()) {
            new TrainingStep(
                    executor,
                    model,
                    config.optimizerSettings(),
                    plan.sharing(config.workers()),
                    config.train().sequenceLength(),
                    plan.recompute(),
                    Workers.alone());
            new GraphDecoder(executor, model, 1, model.config().maxPositionEmbeddings());
            assertThat(plan.memory().total() - plan.memory().checkpoint()).isEqualTo(executor.bytes());
            assertThat(plan.memory().checkpoint())
                    .isEqualTo(plan.memory().weights() + plan.memory().optimizer());
        }
    }

    /// Remembers the programs, to know the size of their arena.
    private static final class RecordingExecutor implements Executor {
        private final Executor executor = new CpuExecutor(1);
        private final List<Program> programs = new ArrayList<>();

        long bytes() {
            TensorStore tensors = tensors();
            return tensors.names().stream()
                            .mapToLong(name -> tensors.host(name).byteSize())
                            .sum()
                    + programs.stream()
                            .mapToLong(program -> program.memoryPlan().bytes())
                            .max()
                            .orElseThrow();
        }

        @Override
        public TensorStore tensors() {
            return executor.tensors();
        }

        @Override
        public Program prepare(Graph graph, List<Milestone> milestones) {
            programs.add(executor.prepare(graph, milestones));
            return programs.getLast();
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

    @ParameterizedTest
    @CsvSource({
        // 4096 tokens at once are enough, and a sequence is the least.
        "480, 1024, 4",
        "480, 512, 8",
        "480, 500, 8",
        "7, 512, 7",
        "13, 512, 1",
        "6, 5000, 1",
        "1, 1, 1"
    })
    void picksADivisorOfTheGlobalBatch(int globalBatch, int length, int expected) {
        RunPlan plan = plan(globalBatch, length);
        assertThat(plan.microBatch()).isEqualTo(expected);
        assertThat(plan.microBatches()).isEqualTo(globalBatch / expected);
        assertThat(plan.tokensPerStep()).isEqualTo((long) globalBatch * length);
    }

    @Test
    void picksTheLargestMicroBatchThatFits() {
        long four = plan(64, 256, "train.micro_batch=4", "train.recompute=none")
                .memory()
                .total();
        RunPlan plan = planFor(withRoomFor(four), 64, 256, "train.recompute=none");
        assertThat(plan.fits()).isTrue();
        assertThat(plan.microBatch()).isEqualTo(4);
    }

    @Test
    void recomputesAsLittleAsFits() {
        for (Recompute recompute : Recompute.values()) {
            String fixed = "train.recompute=" + recompute.name().toLowerCase(Locale.ROOT);
            // A micro-batch of 1024 tokens is not too small; one of 256 is.
            long needed = plan(64, 256, "train.micro_batch=4", fixed).memory().total();
            RunPlan plan = planFor(withRoomFor(needed), 64, 256);
            assertThat(plan.recompute()).isEqualTo(recompute);
            assertThat(plan.microBatch()).isEqualTo(4);
            assertThat(plan.flop().recomputed()).matches(flop -> recompute == Recompute.NONE ? flop == 0 : flop > 0);
        }
        long one = plan(64, 256, "train.micro_batch=1", "train.recompute=none")
                .memory()
                .total();
        RunPlan plan = planFor(withRoomFor(one), 64, 256);
        assertThat(plan.recompute()).isNotEqualTo(Recompute.NONE);
        assertThat(plan.microBatch()).isGreaterThan(1);
    }

    /// Chunks of the batch share the logits' memory.
    @Test
    void needsNoLogitsOfTheWholeBatch() {
        String vocabulary = "tokenizer.vocab_size=100000";
        long more = plan(4096, 1, vocabulary).memory().activations();
        long less = plan(2048, 1, vocabulary).memory().activations();
        assertThat(more - less).isLessThan(2048 * 10_000);
    }

    private static Device withRoomFor(long bytes) {
        return machine((long) (bytes / Device.thisMachine().usable()) + 2);
    }

    private static Device machine(long bytes) {
        return new Device("a small machine", bytes, Optional.empty(), Optional.empty());
    }

    private RunPlan plan(int globalBatch, int length, String... overrides) {
        return planFor(Device.thisMachine(), globalBatch, length, overrides);
    }

    private RunPlan planFor(Device device, int globalBatch, int length, String... overrides) {
        List<String> all = new ArrayList<>(List.of(
                "train={steps: 3, global_batch: %d, sequence_length: %d}".formatted(globalBatch, length),
                "model.hidden_size=16",
                "model.num_hidden_layers=8",
                "model.num_attention_heads=1"));
        all.addAll(List.of(overrides));
        return RunPlan.of(tiny.config(all.toArray(String[]::new)), device);
    }

    /// Each proposal is tried.
    @Test
    void namesWaysToFit() {
        long room = plan(8, 512, "train.micro_batch=2", "train.recompute=activations")
                .memory()
                .total();
        Device device = withRoomFor(room);
        String[] tooLarge = {"train.micro_batch=4", "train.recompute=none"};
        RunPlan plan = planFor(device, 8, 512, tooLarge);
        assertThat(plan.fits()).isFalse();
        assertThat(plan.remedies())
                .startsWith("train.micro_batch=2 with train.recompute=activations", "train.sequence_length=128")
                .hasSize(3);
        assertThat(planFor(device, 8, 512, "train.micro_batch=2", "train.recompute=activations")
                        .fits())
                .isTrue();
        assertThat(planFor(device, 8, 128, tooLarge).fits()).isTrue();
        assertThat(planFor(device, 8, 256, tooLarge).fits()).isFalse();
        assertThatThrownBy(plan::requireFit)
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageContaining("a run must fit into 90 % of the memory of a small machine, ")
                .hasMessageContaining(
                        "(try train.micro_batch=2 with train.recompute=activations, or train.sequence_length=128,"
                                + " or a device with ");
    }

    @Test
    void namesASmallerModelWhereNothingElseHelps() {
        assertThat(planFor(machine(1000), 8, 512).remedies()).hasSize(2).startsWith("a smaller model");
    }

    /// What a GPU runs is the lowered graph: bf16 activations, and bf16 copies of the weights beside fp32 ones.
    @ParameterizedTest
    @ValueSource(strings = {"gpt2-124m", "llama3.1-8b"})
    void plansForAGpu(String recipe) {
        RunConfig config = recipe(recipe, "train.micro_batch=1", "train.recompute=block");
        Model model = Model.of(config.modelConfig(config.tokenizer().vocabSize().orElseThrow()));
        int length = config.train().sequenceLength();
        RunPlan plan = RunPlan.of(config, KnownGpus.named("h200-141gb").orElseThrow(), 8);
        assertThat(plan.microBatches()).isEqualTo(config.train().globalBatch() / 8);
        long parameters = model.parameterCount();
        assertThat(plan.memory().weights()).isEqualTo(4 * parameters);
        assertThat(plan.memory().workingCopies()).isEqualTo(2 * parameters);
        assertThat(plan.memory().gradients()).isEqualTo(4 * parameters);
        assertThat(plan.memory().optimizer()).isEqualTo(8 * parameters);
        Graph lowered = MixedPrecision.lower(ModelGraphs.training(model, 1, length, false, Recompute.BLOCK));
        long arena = MemoryPlan.of(Schedule.of(lowered)).bytes();
        // Ids, targets, positions, document starts, of two batches, and losses; the loss scale, the clip factor,
        // AdamW's scalars.
        assertThat(plan.memory().activations()).isEqualTo(arena + 9L * 4 * length + 4 + 8 + 12);
    }

    @Test
    void expectsMoreOfMoreGpus() {
        RunConfig config = recipe("gpt2-124m");
        Device gpu = KnownGpus.named("h100-80gb").orElseThrow();
        RunPlan one = RunPlan.of(config, gpu);
        RunPlan eight = RunPlan.of(config, gpu, 8);
        assertThat(one.expected().orElseThrow().reducing()).isZero();
        assertThat(eight.expected().orElseThrow().reducing()).isPositive();
        assertThat(eight.tokensPerSecond().orElseThrow() / one.tokensPerSecond().orElseThrow())
                .isBetween(7.0, 8.0);
        assertThat(one.utilization().orElseThrow()).isBetween(0.1, 0.65);
        assertThat(one.toString()).contains("estimate, not measured").doesNotContain("summed over the devices");
        assertThat(eight.toString()).contains("summed over the devices", "on each device");
    }

    @Test
    void aSmallGpuRecomputes() {
        RunConfig config = recipe("gpt2-1558m");
        RunPlan plan = RunPlan.of(config, KnownGpus.named("a100-40gb").orElseThrow());
        assertThat(plan.fits()).isTrue();
        RunPlan larger = RunPlan.of(config, KnownGpus.named("h200-141gb").orElseThrow());
        assertThat(larger.recompute()).isEqualTo(Recompute.NONE);
        assertThat(larger.microBatch()).isGreaterThan(plan.microBatch());
    }

    @Test
    void refusesDevicesThatCannotShareTheBatch() {
        Device gpu = KnownGpus.named("h100-80gb").orElseThrow();
        assertThatThrownBy(() -> RunPlan.of(recipe("gpt2-124m"), gpu, 7))
                .hasMessage("the number of workers must divide train.global_batch 512: got 7");
        assertThatThrownBy(() -> RunPlan.of(recipe("gpt2-124m", "train.micro_batch=16"), gpu, 64))
                .hasMessageContaining("train.micro_batch must divide the 8 sequences of a step on each of 64 workers");
    }

    private static RunConfig recipe(String name, String... overrides) {
        return ConfigReader.read(Path.of("../../configs").resolve(name + ".yaml"), RunConfig.class, List.of(overrides));
    }
}
