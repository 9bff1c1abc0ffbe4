package org.quern.launcher.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.SplitPattern;
import tools.jackson.databind.JsonNode;

class TokenizerPageTest {
    @TempDir
    Path folder;

    private final HttpClient client = HttpClient.newHttpClient();
    private TokenizerPage page;

    @BeforeEach
    void start() throws Exception {
        Path small = Files.createDirectories(folder.resolve("small"));
        new BpeTrainer(SplitPattern.GPT2, 300, List.of("<|endoftext|>", "<|im_start|>"), 1)
                .train(
                        List.of("the cat sat on the mat".getBytes(StandardCharsets.UTF_8))
                                .iterator(),
                        (_, _) -> {})
                .write(small.resolve("tokenizer.json"));
        Path strict = Files.createDirectories(folder.resolve("strict"));
        Files.copy(small.resolve("tokenizer.json"), strict.resolve("tokenizer.json"));
        Files.writeString(
                strict.resolve("tokenizer_config.json"),
                "{\"chat_template\": \"{% if messages|length > 1 %}{{ raise_exception('one only') }}{% endif %}<|endoftext|>{{ messages[0].content }}\"}");
        page = new TokenizerPage(NamedTokenizer.open(List.of(small, strict, small)), "the <b>cat", 0);
    }

    @AfterEach
    void stop() {
        page.close();
        client.close();
    }

    private HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private HttpRequest.Builder at(String path) {
        return HttpRequest.newBuilder(URI.create(page.url() + path));
    }

    private JsonNode post(String path, String body) throws Exception {
        HttpResponse<String> reply = send(at(path).POST(BodyPublishers.ofString(body)));
        assertThat(reply.statusCode()).as(reply.body()).isEqualTo(200);
        return Json.MAPPER.readTree(reply.body());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "tokens.js", "tokens.css"})
    void servesThePageFromItsOwnFiles(String path) throws Exception {
        HttpResponse<String> reply = send(at(path));
        assertThat(reply.statusCode()).isEqualTo(200);
        assertThat(reply.body()).isNotBlank().doesNotContain("http:", "https:", "innerHTML");
        assertThat(reply.headers().firstValue("Content-Security-Policy").orElseThrow())
                .contains("default-src 'self'");
    }

    @Test
    void namesTokenizersApart() throws Exception {
        JsonNode known = post("api/tokenizers", "{}");
        assertThat(known.path("text").stringValue()).isEqualTo("the <b>cat");
        assertThat(known.path("tokenizers")
                        .valueStream()
                        .map(t -> t.path("name").stringValue()))
                .containsExactly("small", "strict", "small 2");
        assertThat(known.path("tokenizers")
                        .valueStream()
                        .map(t -> t.path("template").booleanValue()))
                .containsExactly(false, true, false);
    }

    @Test
    void showsTokens() throws Exception {
        JsonNode reply = post("api/tokens", "{\"text\": \"the \\u00e9<|endoftext|>\", \"special\": true}")
                .get(0);
        assertThat(reply.path("tokens").intValue()).isEqualTo(5);
        assertThat(reply.path("bytes").intValue()).isEqualTo(19);
        assertThat(reply.path("pieces").valueStream().map(p -> p.path("t").stringValue()))
                .containsExactly("the", " ", "\u00E9", "<|endoftext|>");
        assertThat(reply.path("pieces").get(2).path("b").toString()).isEqualTo("[\"c3\",\"a9\"]");
        assertThat(reply.path("pieces").get(3).path("s").booleanValue()).isTrue();
    }

    @Test
    void putsConversationsIntoTheTemplatesOfEach() throws Exception {
        JsonNode one =
                post("api/tokens", "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"answer\": true}");
        assertThat(one.get(0).path("text").stringValue())
                .isEqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
        assertThat(one.get(1).path("text").stringValue()).isEqualTo("<|endoftext|>Hi");

        JsonNode two = post(
                "api/tokens",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"user\", \"content\": \"x\"}]}");
        assertThat(two.get(0).path("tokens").intValue()).isPositive();
        assertThat(two.get(1).path("problem").stringValue()).contains("one only");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "{\"messages\": []}", "{\"messages\": [{\"role\": 1}]}", "[[[["})
    void takesWhatItCannotReadWithoutFailing(String body) throws Exception {
        HttpResponse<String> reply = send(at("api/tokens").POST(BodyPublishers.ofString(body)));
        assertThat(reply.statusCode()).isIn(200, 400);
        assertThat(reply.body()).doesNotContain("Exception");
    }

    @Test
    void repliesToThisMachineOnly() throws Exception {
        assertThat(send(at("api/tokens")).statusCode()).isEqualTo(405);
        assertThat(send(at("..%2fetc")).statusCode()).isEqualTo(404);
        assertThat(send(at("").POST(BodyPublishers.noBody())).statusCode()).isEqualTo(405);
        URI other = URI.create(page.url().replace("localhost", "127.0.0.2"));
        assertThatThrownBy(() -> send(HttpRequest.newBuilder(other))).isInstanceOf(java.io.IOException.class);
    }

    @Test
    void refusesAPortThatIsNone() {
        assertThatThrownBy(() -> new TokenizerPage(List.of(), "", 70_000)).isInstanceOf(QuernException.class);
    }
}
