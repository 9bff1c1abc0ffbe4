package org.quern.interop;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;
import org.quern.model.ModelConfig.RopeScaling;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

/// `config.json` as transformers reads and writes it: the `model_type`s gpt2, llama and mistral (a Llama with a
/// sliding window). What no class of transformers computes (a Llama whose feed-forward layer is not gated, a GPT-2
/// with a sliding window) is written with the `model_type` quern, which transformers refuses and only Quern reads.
final class HuggingFaceConfig {
    private static final String SUPPORTED = "gpt2, llama, mistral or quern";

    private static final JsonMapper QUERN = Json.MAPPER
            .rebuild()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .build();

    private final Path file;
    private final JsonNode json;
    private final List<String> problems = new ArrayList<>();

    private HuggingFaceConfig(Path file) {
        this.file = file;
        json = Json.readObject(file);
    }

    /// The shape of the model.
    ///
    /// @throws QuernException naming everything in the file that Quern's models do not compute
    static ModelConfig read(Path file) {
        HuggingFaceConfig reader = new HuggingFaceConfig(file);
        String type = reader.json.path("model_type").asString("");
        ModelConfig config = switch (type) {
            case "gpt2" -> reader.gpt2();
            case "llama" -> reader.llama();
            case "mistral" -> reader.mistral();
            case "quern" -> reader.quern();
            default ->
                throw QuernException.data(
                        "%s: model_type must be %s: got %s".formatted(file, SUPPORTED, type.isEmpty() ? "none" : type));
        };
        reader.expect("quantization_config", "null");
        reader.problems.addAll(config.problems());
        if (!reader.problems.isEmpty()) {
            throw QuernException.data("%s describes a model that Quern does not have:\n  %s"
                    .formatted(file, String.join("\n  ", reader.problems)));
        }
        return config;
    }

    /// The tokens at which generation ends: `eos_token_id` of a `config.json` or `generation_config.json`.
    static Set<Integer> endTokens(Path file) {
        JsonNode ids = Json.readObject(file).path("eos_token_id");
        Set<Integer> tokens = new TreeSet<>();
        for (JsonNode id : ids.isArray() ? ids : List.of(ids)) {
            if (id.isInt()) {
                tokens.add(id.asInt());
            }
        }
        return tokens;
    }

    private ModelConfig gpt2() {
        expect("scale_attn_weights", "true");
        expect("scale_attn_by_inverse_layer_idx", "false");
        expect("add_cross_attention", "false");
        int width = integer("n_embd", 768);
        int heads = integer("n_head", 12);
        return new ModelConfig(
                Architecture.GPT2,
                integer("vocab_size", 50257),
                width,
                integer("n_inner", 4 * width),
                integer("n_layer", 12),
                heads,
                heads,
                heads == 0 ? 0 : width / heads,
                integer("n_positions", 1024),
                activation("activation_function", "gelu_new"),
                number("layer_norm_epsilon", 1e-5),
                0,
                Optional.empty(),
                0,
                flag("tie_word_embeddings", true),
                number("initializer_range", 0.02));
    }

    private ModelConfig llama() {
        expect("attention_bias", "false");
        expect("mlp_bias", "false");
        return llama(11008, 0, 2048, 0);
    }

    private ModelConfig mistral() {
        return llama(14336, 8, 131072, json.has("sliding_window") ? integer("sliding_window", 0) : 4096);
    }

    /// @param keyValueHeads the default; 0: the number of heads
    private ModelConfig llama(int intermediateSize, int keyValueHeads, int maxPositions, int slidingWindow) {
        int width = integer("hidden_size", 4096);
        int heads = integer("num_attention_heads", 32);
        Activation activation = activation("hidden_act", "silu");
        if (activation != Activation.SILU) {
            problems.add(
                    "hidden_act must be silu: got " + json.path("hidden_act").asString());
        }
        return new ModelConfig(
                Architecture.LLAMA,
                integer("vocab_size", 32000),
                width,
                integer("intermediate_size", intermediateSize),
                integer("num_hidden_layers", 32),
                heads,
                integer("num_key_value_heads", keyValueHeads == 0 ? heads : keyValueHeads),
                integer("head_dim", heads == 0 ? 0 : width / heads),
                integer("max_position_embeddings", maxPositions),
                activation,
                number("rms_norm_eps", 1e-6),
                ropeTheta(),
                ropeScaling(),
                slidingWindow,
                flag("tie_word_embeddings", false),
                number("initializer_range", 0.02));
    }

    private ModelConfig quern() {
        try {
            return QUERN.treeToValue(json, ModelConfig.class);
        } catch (JacksonException e) {
            throw QuernException.data("%s: expected a Quern model, found: %s".formatted(file, e.getOriginalMessage()));
        }
    }

    private double ropeTheta() {
        JsonNode parameters = json.path("rope_parameters");
        return parameters.has("rope_theta") ? number(parameters, "rope_theta", 0) : number(json, "rope_theta", 10000);
    }

    /// `rope_parameters` since transformers 5, `rope_scaling` before.
    private Optional<RopeScaling> ropeScaling() {
        JsonNode rope = json.path(json.hasNonNull("rope_parameters") ? "rope_parameters" : "rope_scaling");
        String type = rope.path("rope_type").asString(rope.path("type").asString("default"));
        if (rope.path("partial_rotary_factor").asDouble(1) != 1) {
            problems.add("partial_rotary_factor must be 1: got " + rope.path("partial_rotary_factor"));
        }
        return switch (type) {
            case "default" -> Optional.empty();
            case "llama3" ->
                Optional.of(new RopeScaling(
                        number(rope, "factor", null),
                        number(rope, "low_freq_factor", null),
                        number(rope, "high_freq_factor", null),
                        integer(rope, "original_max_position_embeddings", null)));
            default -> {
                problems.add("rope_type must be default or llama3: got " + type);
                yield Optional.empty();
            }
        };
    }

    private Activation activation(String key, String otherwise) {
        String name = json.path(key).asString(otherwise);
        return switch (name) {
            case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            case "relu2" -> Activation.RELU_SQUARED;
            case "silu", "swish" -> Activation.SILU;
            default -> {
                problems.add("%s must be gelu_new, relu2 or silu: got %s".formatted(key, name));
                yield Activation.SILU;
            }
        };
    }

    private void expect(String key, String expected) {
        JsonNode value = json.path(key);
        if (!value.isMissingNode() && !value.isNull() && !value.toString().equals(expected)) {
            problems.add("%s must be %s: got %s".formatted(key, expected, value));
        }
    }

    private int integer(String key, int otherwise) {
        return integer(json, key, otherwise);
    }

    private double number(String key, double otherwise) {
        return number(json, key, otherwise);
    }

    /// @param otherwise what transformers takes where the key is absent or null; null: it must be there
    private int integer(JsonNode object, String key, Integer otherwise) {
        return (int) number(object, key, otherwise, JsonNode::isInt, "a whole number");
    }

    private double number(JsonNode object, String key, Number otherwise) {
        return number(object, key, otherwise, JsonNode::isNumber, "a number");
    }

    private double number(JsonNode object, String key, Number otherwise, Predicate<JsonNode> type, String name) {
        JsonNode value = object.path(key);
        if (otherwise != null && (value.isMissingNode() || value.isNull())) {
            return otherwise.doubleValue();
        }
        if (!type.test(value)) {
            problems.add("%s must be %s: got %s".formatted(key, name, value.isMissingNode() ? "none" : value));
            return 1;
        }
        return value.asDouble();
    }

    private boolean flag(String key, boolean otherwise) {
        JsonNode value = json.path(key);
        if (!value.isMissingNode() && !value.isBoolean()) {
            problems.add("%s must be true or false: got %s".formatted(key, value));
        }
        return value.asBoolean(otherwise);
    }

    /// The `config.json` of a model.
    ///
    /// @param begin the token before a document
    /// @param end the token after it
    static Map<String, Object> write(ModelConfig model, OptionalInt begin, OptionalInt end) {
        Map<String, Object> json = new LinkedHashMap<>();
        if (!isExpressible(model)) {
            json.put("architectures", List.of("QuernForCausalLM"));
            json.put("model_type", "quern");
            JsonNode fields = QUERN.valueToTree(model);
            fields.properties().forEach(field -> json.put(field.getKey(), field.getValue()));
        } else if (model.architecture() == Architecture.GPT2) {
            json.put("architectures", List.of("GPT2LMHeadModel"));
            json.put("model_type", "gpt2");
            writeGpt2(json, model);
        } else {
            boolean window = model.slidingWindow() > 0;
            json.put("architectures", List.of(window ? "MistralForCausalLM" : "LlamaForCausalLM"));
            json.put("model_type", window ? "mistral" : "llama");
            writeLlama(json, model);
        }
        json.put("bos_token_id", orNull(begin));
        json.put("eos_token_id", orNull(end));
        json.put("torch_dtype", "float32");
        json.put("use_cache", true);
        return json;
    }

    /// The `generation_config.json` of a model.
    static Map<String, Object> writeGeneration(OptionalInt begin, OptionalInt end) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("_from_model_config", true);
        json.put("bos_token_id", orNull(begin));
        json.put("eos_token_id", orNull(end));
        return json;
    }

    private static boolean isExpressible(ModelConfig model) {
        return switch (model.architecture()) {
            case GPT2 -> model.slidingWindow() == 0;
            // transformers insists on the second, although its code does without.
            case LLAMA -> model.hiddenAct() == Activation.SILU && model.hiddenSize() % model.numAttentionHeads() == 0;
        };
    }

    private static void writeGpt2(Map<String, Object> json, ModelConfig model) {
        json.put("vocab_size", model.vocabSize());
        json.put("n_positions", model.maxPositionEmbeddings());
        json.put("n_embd", model.hiddenSize());
        json.put("n_layer", model.numHiddenLayers());
        json.put("n_head", model.numAttentionHeads());
        json.put("n_inner", model.intermediateSize());
        json.put("activation_function", model.hiddenAct() == Activation.GELU_TANH ? "gelu_new" : "relu2");
        json.put("layer_norm_epsilon", model.normEps());
        json.put("initializer_range", model.initializerRange());
        json.put("tie_word_embeddings", model.tieWordEmbeddings());
        json.put("attn_pdrop", 0.0);
        json.put("embd_pdrop", 0.0);
        json.put("resid_pdrop", 0.0);
    }

    private static void writeLlama(Map<String, Object> json, ModelConfig model) {
        json.put("vocab_size", model.vocabSize());
        json.put("hidden_size", model.hiddenSize());
        json.put("intermediate_size", model.intermediateSize());
        json.put("num_hidden_layers", model.numHiddenLayers());
        json.put("num_attention_heads", model.numAttentionHeads());
        json.put("num_key_value_heads", model.numKeyValueHeads());
        json.put("head_dim", model.headDim());
        json.put("hidden_act", "silu");
        json.put("max_position_embeddings", model.maxPositionEmbeddings());
        json.put("rms_norm_eps", model.normEps());
        json.put("rope_theta", model.ropeTheta());
        // Read by transformers 5 as well, which itself writes rope_parameters.
        json.put(
                "rope_scaling",
                model.ropeScaling().map(HuggingFaceConfig::ropeScaling).orElse(null));
        if (model.slidingWindow() > 0) {
            json.put("sliding_window", model.slidingWindow());
        } else {
            json.put("attention_bias", false);
            json.put("mlp_bias", false);
        }
        json.put("attention_dropout", 0.0);
        json.put("initializer_range", model.initializerRange());
        json.put("tie_word_embeddings", model.tieWordEmbeddings());
    }

    private static Map<String, Object> ropeScaling(RopeScaling scaling) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("rope_type", "llama3");
        json.put("factor", scaling.factor());
        json.put("low_freq_factor", scaling.lowFreqFactor());
        json.put("high_freq_factor", scaling.highFreqFactor());
        json.put("original_max_position_embeddings", scaling.originalMaxPositionEmbeddings());
        return json;
    }

    private static Integer orNull(OptionalInt token) {
        return token.isPresent() ? token.getAsInt() : null;
    }
}
