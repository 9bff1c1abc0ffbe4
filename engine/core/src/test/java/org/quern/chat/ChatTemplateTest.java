package org.quern.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.chat.ChatTemplate.Message;
import tools.jackson.databind.JsonNode;

class ChatTemplateTest {
    private static final Map<String, String> TOKENS = Map.of("bos_token", "<s>", "eos_token", "</s>");
    private static final List<Message> HELLO = List.of(new Message("user", "Hello"));

    static List<JsonNode> cases() throws Exception {
        List<JsonNode> cases = new ArrayList<>();
        Json.MAPPER
                .readTree(Files.readString(Path.of("src/test/resources/chat/cases.json")))
                .forEach(cases::add);
        return cases;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void rendersAsJinjaDoes(JsonNode example) {
        ChatTemplate template = ChatTemplate.of(example.path("template").stringValue(), TOKENS);
        List<Message> messages = new ArrayList<>();
        for (JsonNode message : example.path("messages")) {
            messages.add(new Message(
                    message.path("role").stringValue(), message.path("content").stringValue()));
        }
        boolean answer = example.path("answer").booleanValue();
        if (example.path("expected").isNull()) {
            assertThatThrownBy(() -> template.render(messages, answer))
                    .isInstanceOf(QuernException.class)
                    .hasMessageContaining("roles must take turns");
        } else {
            assertThat(template.render(messages, answer))
                    .isEqualTo(example.path("expected").stringValue());
        }
    }

    @Test
    void hasChatMl() {
        assertThat(ChatTemplate.of(ChatTemplate.CHATML, Map.of()).render(HELLO, true))
                .isEqualTo("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
            {% for m in messages %}x           ; line 1: expected one of [
            {{ a                               ; line 1: "{{" is never closed
            {% macro f() %}{% endmacro %}      ; line 1: {% macro f() %} is not supported here
            {{ a b }}                          ; line 1: "b" is not expected there
            {{ }}                              ; line 1: an expression is missing
            {{ a ? b }}                        ; line 1: "? b" cannot be read
            {{ a | unknown }}                  ; line 1: there is no filter unknown
            {{ unknown(1) }}                   ; line 1: there is no function unknown
            {{ 'a' + 1 }}                      ; line 1: 'a' + 1: not two numbers
            {% set x.y = 1 %}                  ; line 1: x is no namespace
            {{ [1][0].strip() }}               ; line 1: 1 has no method strip
            {% endfor %}                       ; line 1: {% endfor %} is not supported here
            """)
    void namesWhatItCannotFollow(String template, String message) {
        assertThatThrownBy(() -> ChatTemplate.of(template, Map.of()).render(HELLO, false))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining(message);
    }

    @Test
    void isFoundBesideATokenizer(@TempDir Path folder) throws Exception {
        Path tokenizer = folder.resolve("tokenizer.json");
        assertThat(ChatTemplate.beside(tokenizer)).isEmpty();

        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"bos_token": {"content": "<b>"}, "eos_token": "<e>",
                 "chat_template": [{"name": "tool_use", "template": "x"},
                                   {"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"}]}
                """);
        assertThat(ChatTemplate.beside(tokenizer).orElseThrow().render(HELLO, false))
                .isEqualTo("<b>Hello<e>");

        Files.writeString(folder.resolve("chat_template.jinja"), "{{ bos_token }}!");
        assertThat(ChatTemplate.beside(tokenizer).orElseThrow().render(HELLO, false))
                .isEqualTo("<b>!");
    }
}
