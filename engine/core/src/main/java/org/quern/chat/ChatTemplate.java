package org.quern.chat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.databind.JsonNode;

/// Turns a conversation into the text that a model was trained on, as the template in a `tokenizer_config.json`
/// says. Templates are those of Hugging Face transformers: Jinja with `trim_blocks` and `lstrip_blocks`, see
/// [Expressions] for how much of it. Immutable and thread-safe.
public final class ChatTemplate {
    /// The format of OpenAI's ChatML, for tokenizers without a template.
    public static final String CHATML = """
            {% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\
            {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""";

    /// Something that was said.
    ///
    /// @param role such as `system`, `user` or `assistant`
    public record Message(String role, String content) {}

    private final Template.Node root;
    private final Map<String, String> variables;

    private ChatTemplate(Template.Node root, Map<String, String> variables) {
        this.root = root;
        this.variables = variables;
    }

    /// @param variables such as `bos_token` and `eos_token`
    /// @throws QuernException if it uses what is not supported; with the line
    public static ChatTemplate of(String template, Map<String, String> variables) {
        return new ChatTemplate(Template.parse(template), Map.copyOf(variables));
    }

    /// The template beside a `tokenizer.json`: `chat_template.jinja`, or `chat_template` of
    /// `tokenizer_config.json`, of several the one that is called `default`.
    public static Optional<ChatTemplate> beside(Path tokenizerJson) {
        Path config = tokenizerJson.resolveSibling("tokenizer_config.json");
        JsonNode root = Files.exists(config) ? Json.readObject(config) : Json.MAPPER.createObjectNode();
        Map<String, String> variables = new HashMap<>();
        for (String name : List.of("bos_token", "eos_token", "unk_token", "pad_token")) {
            JsonNode token = root.path(name);
            JsonNode content = token.isObject() ? token.path("content") : token;
            if (content.isString()) {
                variables.put(name, content.stringValue());
            }
        }
        Path file = tokenizerJson.resolveSibling("chat_template.jinja");
        try {
            if (Files.exists(file)) {
                return Optional.of(of(Files.readString(file), variables));
            }
            return template(root.path("chat_template")).map(template -> of(template, variables));
        } catch (IOException e) {
            throw QuernException.io(file + " cannot be read", e);
        } catch (QuernException e) {
            throw new QuernException(e.exitCode(), config.getParent() + ": " + e.getMessage(), e);
        }
    }

    private static Optional<String> template(JsonNode template) {
        if (template.isString()) {
            return Optional.of(template.stringValue());
        }
        for (JsonNode named : template) {
            if (named.path("name").asString("").equals("default")) {
                return Optional.of(named.path("template").asString(""));
            }
        }
        return Optional.empty();
    }

    /// @param answer whether the beginning of an answer follows the messages
    /// @throws QuernException if the template refuses the conversation
    public String render(List<Message> messages, boolean answer) {
        Map<String, Object> scope = new HashMap<>(variables);
        scope.put(
                "messages",
                messages.stream()
                        .map(message -> Map.<String, Object>of("role", message.role(), "content", message.content()))
                        .toList());
        scope.put("add_generation_prompt", answer);
        StringBuilder out = new StringBuilder();
        root.render(new Scope(scope), out);
        return out.toString();
    }
}
