package org.quern.interop;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.Safetensors;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;
import org.quern.model.ModelConfig.RopeScaling;
import tools.jackson.databind.node.ObjectNode;

class HuggingFaceFolderTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden");
    private static final ModelConfig GPT2 = new ModelConfig(
            Architecture.GPT2,
            97,
            24,
            96,
            2,
            4,
            4,
            6,
            40,
            Activation.GELU_TANH,
            1e-5,
            0,
            Optional.empty(),
            0,
            true,
            0.02);

    @TempDir
    Path folder;

    private final Arena arena = Arena.ofAuto();

    @Test
    void readsConfigsOfTransformers() {
        assertThat(new HuggingFaceFolder(GOLDEN.resolve("gpt2")).config()).isEqualTo(GPT2);
        ModelConfig llama = llama(0, Activation.SILU, Optional.of(new RopeScaling(8, 1, 4, 48)), true);
        assertThat(new HuggingFaceFolder(GOLDEN.resolve("llama-tied")).config()).isEqualTo(llama);
        ModelConfig untied = llama(0, Activation.SILU, Optional.of(new RopeScaling(8, 1, 4, 48)), false);
        assertThat(new HuggingFaceFolder(GOLDEN.resolve("llama-untied")).config())
                .isEqualTo(untied);
    }

    static Stream<Map.Entry<String, ModelConfig>> models() {
        return Stream.of(
                Map.entry("GPT2LMHeadModel", GPT2),
                Map.entry("GPT2LMHeadModel", gpt2(Activation.RELU_SQUARED, 0)),
                Map.entry("QuernForCausalLM", gpt2(Activation.GELU_TANH, 8)),
                Map.entry("LlamaForCausalLM", llama(0, Activation.SILU, Optional.empty(), true)),
                Map.entry(
                        "LlamaForCausalLM",
                        llama(0, Activation.SILU, Optional.of(new RopeScaling(8, 1, 4, 48)), false)),
                Map.entry("MistralForCausalLM", llama(8, Activation.SILU, Optional.empty(), false)),
                Map.entry("QuernForCausalLM", llama(0, Activation.RELU_SQUARED, Optional.empty(), true)),
                Map.entry(
                        "QuernForCausalLM",
                        llama(8, Activation.GELU_TANH, Optional.of(new RopeScaling(8, 1, 4, 48)), true)));
    }

    @ParameterizedTest
    @MethodSource("models")
    void readsBackTheConfigsThatItWrites(Map.Entry<String, ModelConfig> model) throws IOException {
        write(HuggingFaceConfig.write(model.getValue(), OptionalInt.of(3), OptionalInt.of(5)));

        HuggingFaceFolder found = new HuggingFaceFolder(folder);
        assertThat(found.config()).isEqualTo(model.getValue());
        assertThat(found.endTokens()).containsExactly(5);
        assertThat(Files.readString(folder.resolve("config.json"))).contains("\"" + model.getKey() + "\"");
    }

    @Test
    void collectsEndTokens() throws IOException {
        ObjectNode config = config("gpt2");
        write(config);
        assertThat(new HuggingFaceFolder(folder).endTokens()).isEmpty();
        config.put("eos_token_id", 9);
        write(config);
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [7, 8, 9]}");
        assertThat(new HuggingFaceFolder(folder).endTokens()).containsExactly(7, 8, 9);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    gpt2       | activation_function      | "gelu"              | activation_function must be gelu_new, relu2 or silu: got gelu
                    gpt2       | scale_attn_by_inverse_layer_idx | true         | scale_attn_by_inverse_layer_idx must be false: got true
                    gpt2       | n_layer                  | "two"               | n_layer must be a whole number: got "two"
                    gpt2       | n_head                   | 5                   | num_attention_heads must divide hidden_size 24: got 5
                    gpt2       | n_head                   | 0                   | num_attention_heads must be positive: got 0
                    gpt2       | tie_word_embeddings      | 1                   | tie_word_embeddings must be true or false: got 1
                    llama-tied | attention_bias           | true                | attention_bias must be false: got true
                    llama-tied | mlp_bias                 | true                | mlp_bias must be false: got true
                    llama-tied | hidden_act               | "gelu_new"          | hidden_act must be silu: got gelu_new
                    llama-tied | rope_parameters          | {"rope_type":"yarn"} | rope_type must be default or llama3: got yarn
                    llama-tied | rope_parameters          | {"rope_type":"llama3","factor":8} | low_freq_factor must be a number: got none
                    llama-tied | quantization_config      | {"bits":4}          | quantization_config must be null: got {"bits":4}
                    llama-tied | model_type               | "gemma"             | model_type must be gpt2, llama, mistral or quern: got gemma
                    llama-tied | model_type               | null                | model_type must be gpt2, llama, mistral or quern: got none
                    """)
    void refusesModelsThatWeDoNotHave(String base, String key, String value, String message) throws IOException {
        ObjectNode config = config(base);
        config.set(key, Json.MAPPER.readTree(value));
        write(config);

        assertThatThrownBy(() -> new HuggingFaceFolder(folder))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageContainingAll("config.json", message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama-tied", "llama-untied"})
    void fillsEveryWeight(String name) {
        HuggingFaceFolder golden = new HuggingFaceFolder(GOLDEN.resolve(name));
        List<NamedTensor> weights = weights(golden.config());

        copy(golden, weights);

        for (NamedTensor expected : Safetensors.readFolder(GOLDEN.resolve(name), "model", arena)) {
            NamedTensor found = weights.stream()
                    .filter(tensor -> tensor.name().equals(expected.name()))
                    .findFirst()
                    .orElseThrow();
            assertThat(found.data().mismatch(expected.data())).isEqualTo(-1);
        }
    }

    @Test
    void acceptsWhatOldFilesHaveBesidesAndLack() throws IOException {
        List<NamedTensor> old = new ArrayList<>();
        for (NamedTensor tensor : Safetensors.readFolder(GOLDEN.resolve("gpt2"), "model", arena)) {
            String name = tensor.name().substring("transformer.".length());
            old.add(new NamedTensor(name, tensor.dtype(), tensor.shape(), tensor.data()));
        }
        old.add(NamedTensor.floats("h.0.attn.bias", arena.allocate(4), 1, 1, 1, 1));
        old.add(NamedTensor.floats("h.1.attn.masked_bias", arena.allocate(4)));
        old.add(NamedTensor.floats("lm_head.weight", arena.allocate(4 * 97 * 24), 97, 24));
        write(config("gpt2"));
        Safetensors.write(folder.resolve("model.safetensors"), old);
        List<NamedTensor> weights = weights(GPT2);

        copy(new HuggingFaceFolder(folder), weights);

        assertThat(weights)
                .noneMatch(tensor ->
                        tensor.name().endsWith("ln_f.weight") && tensor.data().get(JAVA_FLOAT, 0) == 0);
    }

    @Test
    void listsTensorsThatDoNotFit() throws IOException {
        ObjectNode config = config("llama-untied");
        config.put("intermediate_size", 41);
        config.put("num_hidden_layers", 3);
        write(config);
        Files.copy(GOLDEN.resolve("llama-untied/model.safetensors"), folder.resolve("model.safetensors"));
        HuggingFaceFolder broken = new HuggingFaceFolder(folder);

        assertThatThrownBy(() -> copy(broken, weights(broken.config())))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll(
                        folder.toString(),
                        "model.layers.0.mlp.down_proj.weight: expected [32, 41], found [32, 40]",
                        "model.layers.1.mlp.gate_proj.weight: expected [41, 32], found [40, 32]",
                        "model.layers.2.input_layernorm.weight: expected [32], found none");
    }

    @Test
    void namesWhatIsMissing() throws IOException {
        assertThatThrownBy(() -> new HuggingFaceFolder(folder))
                .hasMessage(folder
                        + ": expected the folder of a run, a checkpoint or a model with its config.json, found none");
        write(config("gpt2"));
        HuggingFaceFolder empty = new HuggingFaceFolder(folder);
        assertThatThrownBy(() -> empty.weights(arena))
                .hasMessageContaining("model.safetensors: expected a safetensors file, found none");
        Files.createFile(folder.resolve("pytorch_model.bin"));
        assertThatThrownBy(() -> empty.weights(arena))
                .hasMessageContaining("expected model.safetensors, found pytorch_model.bin");
    }

    private void copy(HuggingFaceFolder from, List<NamedTensor> into) {
        NamedTensor.copyAll(from.path().toString(), from.weights(arena), into);
    }

    private static ModelConfig gpt2(Activation activation, int slidingWindow) {
        return new ModelConfig(
                Architecture.GPT2,
                97,
                24,
                50,
                2,
                4,
                4,
                6,
                40,
                activation,
                1e-6,
                0,
                Optional.empty(),
                slidingWindow,
                false,
                0.03);
    }

    private static ModelConfig llama(
            int slidingWindow, Activation activation, Optional<RopeScaling> ropeScaling, boolean tied) {
        return new ModelConfig(
                Architecture.LLAMA,
                101,
                32,
                40,
                2,
                4,
                2,
                8,
                384,
                activation,
                1e-5,
                500,
                ropeScaling,
                slidingWindow,
                tied,
                0.02);
    }

    private List<NamedTensor> weights(ModelConfig config) {
        return Model.of(config).parameters().stream()
                .flatMap(parameter -> parameter.parts().stream())
                .map(part -> {
                    long[] shape = part.shape().dims().stream()
                            .mapToLong(Integer::longValue)
                            .toArray();
                    MemorySegment data = arena.allocate(4 * part.shape().size());
                    return NamedTensor.floats(part.name(), data, shape);
                })
                .toList();
    }

    private static ObjectNode config(String name) {
        return (ObjectNode) Json.readObject(GOLDEN.resolve(name).resolve("config.json"));
    }

    private void write(Object config) throws IOException {
        Files.write(folder.resolve("config.json"), Json.pretty(config));
    }
}
