package org.quern.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.data.Mixture;
import org.quern.model.ModelConfig;
import org.quern.optimizer.LearningRate;

class RunConfigTest {
    private static final Path CONFIGS = Path.of("../../configs");

    private static final String SMALL = """
            model: {architecture: llama, hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4}
            tokenizer: {file: tokenizer.json}
            data: {text: [a.txt]}
            train: {steps: 100, global_batch: 12, sequence_length: 32}
            optimizer: {lr: 1e-3}
            """;

    private static RunConfig read(String yaml, String... overrides) {
        return ConfigReader.parse("run.yaml", yaml, Path.of("/"), RunConfig.class, List.of(overrides));
    }

    static Stream<Path> configs() throws IOException {
        try (Stream<Path> files = Files.list(CONFIGS)) {
            return files.filter(file -> file.toString().endsWith(".yaml")).toList().stream();
        }
    }

    private static final String MIXTURE = """
            data:
              sources:
                - {name: web, text: [a.txt], weight: 0.7}
                - name: books
                  text: [b.txt]
                  weight: 0.3
                  max_epochs: 4
              anneal: [{after: 60, over: 20, weights: [0.2, 0.8]}, {after: 80, weights: [0, 1]}]
            """;

    private static RunConfig readMixture(String... overrides) {
        return read(SMALL.replace("data: {text: [a.txt]}\n", MIXTURE), overrides);
    }

    @Test
    void readsAMixtureAndWritesItAsItIsRead() {
        RunConfig config = readMixture();
        assertThat(config.data().all()).extracting(DataSection.Source::name).containsExactly("web", "books");
        assertThat(config.data().all())
                .extracting(DataSection.Source::maxEpochs)
                .containsExactly(Optional.empty(), Optional.of(4.0));
        assertThat(config.data().phases())
                .containsExactly(
                        new Mixture.Phase(0, 0, List.of(0.7, 0.3)),
                        new Mixture.Phase(60, 20, List.of(0.2, 0.8)),
                        new Mixture.Phase(80, 0, List.of(0.0, 1.0)));
        assertThat(read(ConfigWriter.yaml(config))).isEqualTo(config);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "data.text=[c.txt] | data must have one of text, shards, train and sources: got text and sources",
                "data.validation=[c.txt] | data.validation goes with each of the sources",
                "data.sources=[] | data.sources must hold at least one",
                "data.anneal=[{after: 5, weights: [1]}] | data.anneal[0] must have weights for the 2 sources, in their"
                        + " order: got 1",
                "data.anneal=[{after: 5, weights: [0, 0]}] | data.anneal[0] must have weights of which one is above 0",
                "data.anneal=[{after: 5, weights: [1, -1]}] | data.anneal[0].weights[1] must be a number >= 0: got -1",
                "data.anneal=[{after: 5, weights: [1, 1e-9]}] | data.anneal[0] must have weights of 0 or at least a"
                        + " millionth of their sum: got 1.0E-9",
                "data.anneal=[{after: 9, over: 5, weights: [1, 0]}, {after: 13, weights: [0, 1]}] | data.anneal[1] must"
                        + " have after of at least 14, when the change before is over: got 13",
                "data.anneal=[{after: 9, over: 9223372036854775807, weights: [1, 0]}] | data.anneal[0].over must be a whole"
                        + " number >= 0 and <= 1000000000: got 9223372036854775807",
                "data.anneal=[{after: 100, weights: [1, 0]}] | data.anneal must begin before train.steps 100: got"
                        + " after: 100",
                "data={sources: [{name: a, weight: 1, text: [x]}, {name: a, weight: 1, text: [y]}]} | data.sources must"
                        + " have different names: got a twice",
                "data={sources: [{name: a, weight: 1}]} | data.sources[0] must have one of text, shards and train: got"
                        + " none",
                "data={sources: [{name: a/b, weight: 1, text: [x]}]} | data.sources[0].name must be letters, digits,"
                        + " dots, dashes and underscores: got a/b",
                "data={sources: [{name: a, text: [x]}]} | data.sources[0].weight is missing: a number >= 0",
                "data={sources: [{name: a, weight: 0, text: [x]}]} | data.sources must have weights of which one is"
                        + " above 0",
                "data={sources: [{name: a, weight: 1, shards: x, validation: [y]}]} | data.sources[0].validation goes"
                        + " with text or train: shards have a part for it",
                "data={text: [x], anneal: []} | data.anneal goes with sources, whose weights it changes",
                "tokenizer={vocab_size: 300} | tokenizer.vocab_size alone cannot turn data.text into ids: give"
                        + " tokenizer.file or tokenizer.train",
            })
    void rejectsMixturesThatDoNotFit(String override, String problem) {
        assertThatThrownBy(() -> readMixture(override)).hasMessageMatching("(?s).*: \\Q" + problem + "\\E");
    }

    @ParameterizedTest
    @MethodSource("configs")
    void everyConfigIsValidAndWrittenAsItIsRead(Path file) {
        RunConfig config = ConfigReader.read(file, RunConfig.class, List.of());
        assertThat(read(ConfigWriter.yaml(config))).isEqualTo(config);
    }

    @Test
    void theConfigsHaveTheShapesOfTheirModels() {
        ModelConfig gpt2 = ConfigReader.read(CONFIGS.resolve("gpt2-1558m.yaml"), RunConfig.class, List.of())
                .modelConfig(50257);
        assertThat(gpt2)
                .isEqualTo(new ModelConfig(
                        ModelConfig.Architecture.GPT2,
                        50304,
                        1600,
                        6400,
                        48,
                        25,
                        25,
                        64,
                        1024,
                        ModelConfig.Activation.GELU_TANH,
                        1e-5,
                        10000,
                        Optional.empty(),
                        0,
                        true,
                        0.02));
        ModelConfig llama = ConfigReader.read(CONFIGS.resolve("llama3.1-8b.yaml"), RunConfig.class, List.of())
                .modelConfig(128256);
        assertThat(llama)
                .isEqualTo(new ModelConfig(
                        ModelConfig.Architecture.LLAMA,
                        128256,
                        4096,
                        14336,
                        32,
                        32,
                        8,
                        128,
                        131072,
                        ModelConfig.Activation.SILU,
                        1e-5,
                        500000,
                        Optional.of(new ModelConfig.RopeScaling(8, 1, 4, 8192)),
                        0,
                        false,
                        0.02));
    }

    @Test
    void whatIsLeftOutFollowsFromTheRest() {
        RunConfig config = read(SMALL);
        ModelConfig model = config.modelConfig(300);
        assertThat(model.vocabSize()).isEqualTo(300);
        assertThat(model.intermediateSize()).isEqualTo(192);
        assertThat(model.numKeyValueHeads()).isEqualTo(4);
        assertThat(model.headDim()).isEqualTo(16);
        assertThat(model.maxPositionEmbeddings()).isEqualTo(32);
        assertThat(model.tieWordEmbeddings()).isFalse();
        assertThat(config.train().spikeGuard()).contains(new RunConfig.SpikeGuard(128, 6));
        assertThat(config.optimizerSettings().clipGradNorm()).isEqualTo(1);
        assertThat(read(SMALL, "train.clip_grad_norm=off").optimizerSettings().clipGradNorm())
                .isZero();
        assertThat(config.learningRate()).isEqualTo(new LearningRate(LearningRate.Shape.COSINE, 100, 0, 20, 0.1));
        assertThat(config.evaluate()).isEmpty();
    }

    @Test
    void rejectsATokenizerWithMoreTokensThanTheModel() {
        RunConfig config = read(SMALL, "model.vocab_size=1000");
        assertThat(config.modelConfig(1000).vocabSize()).isEqualTo(1000);
        assertThatThrownBy(() -> config.modelConfig(1001))
                .hasMessage("model.vocab_size must be at least the tokenizer's 1001: got 1000");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "train.micro_batch=5 | train.micro_batch must divide global_batch 12: got 5 (try 4 or 6)",
                "train.steps=9223372036854775807 | train.steps times global_batch must be at most 288,230,376,151,711,744: got"
                        + " 9,223,372,036,854,775,807 times 12",
                "train.micro_batch=13 | train.micro_batch must divide global_batch 12: got 13 (try 12)",
                "train={steps: 1, global_batch: 65536, micro_batch: 65536, sequence_length: 32768} | train.micro_batch"
                        + " times sequence_length must be at most 2147483647: got 2147483648",
                "model.num_attention_heads=3 | model.num_attention_heads must divide hidden_size 64, unless head_dim is"
                        + " given: got 3",
                "model.num_key_value_heads=3 | model.num_key_value_heads must divide num_attention_heads 4: got 3",
                "model.head_dim=5 | model.head_dim must be even for rotary positions: got 5",
                "model.hidden_act=gelu | model.hidden_act must be one of gelu_tanh, silu, relu_squared: got gelu",
                "model.rope_scaling={factor: 8, low_freq_factor: 4, high_freq_factor: 1,"
                        + " original_max_position_embeddings: 16} | model.rope_scaling.high_freq_factor must be greater"
                        + " than low_freq_factor 4.0: got 1.0",
                "model.max_position_embeddings=31 | train.sequence_length must be at most"
                        + " model.max_position_embeddings 31: got 32",
                "schedule.warmup_steps=101 | schedule.warmup_steps must be at most train.steps 100: got 101",
                "schedule={name: wsd, warmup_steps: 30, decay_steps: 71} | schedule.decay_steps must be at most 70, the"
                        + " steps after the warm-up: got 71",
                "schedule.decay_steps=5 | schedule.decay_steps goes with name: wsd only: remove it",
                "schedule={name: constant, final_lr_fraction: 0.5} | schedule.final_lr_fraction has no meaning in a"
                        + " constant schedule: remove it",
                "optimizer.betas=[0.9] | optimizer.betas must be two numbers: got 1",
                "optimizer.betas=[0.9, 1] | optimizer.betas[1] must be a number >= 0 and < 1: got 1",
                "optimizer.name=muon | optimizer.muon is missing: with name: muon, give at least its learning rate, such"
                        + " as muon: {lr: 0.02}",
                "optimizer.muon.lr=0.02 | optimizer.muon is given, but name is adamw: write name: muon or remove the"
                        + " section",
                "data={} | data must have one of text, shards, train and sources: got none",
                "data.shards=x | data must have one of text, shards, train and sources: got text and shards",
                "data.text=[] | data.text must name at least one file",
                "data.text=a.txt | data.text must be a list, each a path: got a.txt (write [a.txt])",
                "data={shards: x, validation: [y]} | data.validation goes with text or train: shards have a part"
                        + " for it",
                "data={shards: x, validation_fraction: 0.1} | data.validation_fraction goes with text without"
                        + " validation",
                "tokenizer={} | tokenizer must have one of file, train and vocab_size",
                "tokenizer.end_of_text=3 | tokenizer.end_of_text goes with tokenizer.vocab_size: a tokenizer knows its"
                        + " own",
                "tokenizer={vocab_size: 300} | tokenizer.vocab_size alone cannot turn data.text into ids: give"
                        + " tokenizer.file or tokenizer.train",
                "tokenizer={train: {vocab_size: 256}} | tokenizer.train.vocab_size must be at least 257, for 256 bytes and"
                        + " 1 special tokens: got 256",
                "tokenizer={train: {vocab_size: 300, special_tokens: [ab, ab]}} | tokenizer.train.special_tokens must be"
                        + " different and longer than one character: got [ab, ab]",
                "tokenizer={train: {vocab_size: 300, special_tokens: []}} | tokenizer.train.special_tokens must hold at"
                        + " least one token: the first ends a document",
                "sample.prompts=[] | sample.prompts must hold at least one text: remove the sample section for no"
                        + " samples",
                "run.device=gpu | run.device must be auto, cpu, cuda, cuda:N or emulated: got gpu",
                "kernels.provider=library | kernels.provider must be ptx without a GPU in run.device: got library on auto",
                "kernels.programmatic=true | kernels.programmatic must be false unless kernels.provider is warpgroups or fp8:"
                        + " got true with ptx",
                "run.name=a/b | run.name must be letters, digits, dots, dashes and underscores, as it names a folder:"
                        + " got a/b",
            })
    void rejectsWhatDoesNotFit(String override, String problem) {
        assertThatThrownBy(() -> read(SMALL, override)).hasMessageMatching("(?s).*: \\Q" + problem + "\\E");
    }

    @Test
    void rejectsATokenizerThatDoesNotGoWithTheData() {
        assertThatThrownBy(() -> read(SMALL, "data={shards: x}", "tokenizer={vocab_size: 300}"))
                .hasMessage("--set data: data.shards needs tokenizer.file, the tokenizer that made them");
        assertThatThrownBy(() -> read(SMALL, "data={train: [x]}", "tokenizer={train: {vocab_size: 300}}"))
                .hasMessage("--set tokenizer: tokenizer.train needs data.text to train on: give tokenizer.file");
        assertThatThrownBy(() -> read(SMALL, "data={train: [x], document_mask: true}", "tokenizer={vocab_size: 300}"))
                .hasMessage(
                        "--set tokenizer: tokenizer.end_of_text is missing: data.document_mask sees the documents of"
                                + " .bin shards by it");
    }

    @Test
    void pointsAtTheLineOfTheKeyAtFault() {
        String yaml = """
                model:
                  architecture: gpt2
                  vocab_size: 100
                  hidden_size: 64
                  num_hidden_layers: 2
                  num_attention_heads: 5
                  rope_theta: 1e4
                tokenizer:
                  vocab_size: 101
                  end_of_text: 99
                data:
                  train: [a.bin]
                train:
                  steps: 10
                  global_batch: 480
                  micro_batch: 7
                  sequence_length: 64
                optimizer: {lr: 1e-3}
                schedule:
                  warmup_steps: 700
                evaluate: {every: 5}
                sample:
                  prompts: [a]
                """;
        List<String> expected = new ArrayList<>(List.of(
                "run.yaml:3: model.vocab_size must be at least the tokenizer's 101: got 100",
                "run.yaml:6: model.num_attention_heads must divide hidden_size 64, unless head_dim is given: got 5",
                "run.yaml:7: model.rope_theta has no meaning for gpt2, which learns its positions: remove it",
                "run.yaml:16: train.micro_batch must divide global_batch 480: got 7 (try 6 or 8)",
                "run.yaml:20: schedule.warmup_steps must be at most train.steps 10: got 700",
                "run.yaml:21: evaluate needs data.validation: give it, or remove the section",
                "run.yaml:22: sample needs a tokenizer that turns text into ids and back: give tokenizer.file, or remove"
                        + " the section"));
        assertThatThrownBy(() -> read(yaml)).hasMessage(String.join("\n", expected));
    }
}
