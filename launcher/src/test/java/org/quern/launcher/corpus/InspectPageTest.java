package org.quern.launcher.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.Json;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.archive.FolderArchiver;
import org.quern.corpus.run.CorpusRun;
import tools.jackson.databind.JsonNode;

/// A run of pages that are hostile, doubled and plain.
class InspectPageTest {
    private static final InetSocketAddress HERE = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    private static final String PROSE =
            "The mill <b>grinds</b> on and the \u00e9tude goes on with it said the old miller of the river. "
                    .repeat(30);
    private static final String HOSTILE = """
            <html><head><meta http-equiv="refresh" content="0;url=https://evil.example/">
            <base href="https://evil.example/"><link rel="stylesheet" href="https://evil.example/a.css">
            <style>@import url(https://evil.example/b.css)</style><script>alert(1)</script></head>
            <body onload="alert(2)" style="background:url(https://evil.example/c.png)"><img src=x onerror="alert(3)">
            <a href="javascript:alert(4)">a link</a><iframe src="https://evil.example/"></iframe>
            <form action="https://evil.example/"><input autofocus onfocus="alert(5)"></form>
            <svg><script>alert(6)</script><a xlink:href="javascript:alert(7)">x</a></svg>
            <math><mtext></form><form><mglyph><style></math><img src onerror=alert(8)></style></mglyph></form></mtext></math>
            <object data="https://evil.example/"></object><video src="https://evil.example/v" autoplay></video>
            <noscript><p title="</noscript><img src=x onerror=alert(9)>"></noscript>
            <p>What is <em>left</em></p></body></html>""";

    @TempDir
    Path folder;

    private final HttpClient client = HttpClient.newHttpClient();
    private InspectPage page;

    @BeforeEach
    void start() throws IOException {
        Path site = Files.createDirectories(folder.resolve("site"));
        Files.writeString(site.resolve("hostile.html"), HOSTILE);
        Files.writeString(site.resolve("deep.html"), "<div>".repeat(3000) + "deep");
        for (int i = 0; i < 3; i++) {
            Files.writeString(site.resolve("same-" + i + ".html"), "<html><body><p>" + PROSE + "</p></body></html>");
        }
        FolderArchiver.archive(site, URI.create("https://mill.example/"), folder.resolve("mill.warc.gz"));
        Path file = Files.writeString(folder.resolve("corpus.yaml"), """
                inputs: [mill.warc.gz]
                gopher_quality: {min_stop_words: off}
                gopher_repetition: off
                c4_quality: off
                fineweb_quality: off
                """);
        new CorpusRun(ConfigReader.read(file, CorpusConfig.class, List.of()), folder.resolve("run"), (_, _, _, _) -> {})
                .build();
        page = new InspectPage(folder.resolve("run"), HERE, Optional.empty());
    }

    @AfterEach
    void stop() {
        page.close();
        client.close();
    }

    private HttpResponse<String> get(String path) throws Exception {
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(page.url() + path)).build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }

    private JsonNode json(String path) throws Exception {
        HttpResponse<String> reply = get(path);
        assertThat(reply.statusCode()).as(reply.body()).isEqualTo(200);
        return Json.MAPPER.readTree(reply.body());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "inspect.css",
                "inspect.js",
                "overview.js",
                "samples.js",
                "duplicates.js",
                "domains.js",
                "parts.js"
            })
    void servesThePageFromItsOwnFiles(String path) throws Exception {
        HttpResponse<String> reply = get(path);
        assertThat(reply.statusCode()).isEqualTo(200);
        assertThat(reply.body()).isNotBlank().doesNotContain("http:", "https:", "innerHTML", "outerHTML", "insertAdj");
        assertThat(reply.headers().firstValue("Content-Security-Policy"))
                .hasValueSatisfying(policy -> assertThat(policy).contains("default-src 'self'"));
    }

    @Test
    void describesTheRun() throws Exception {
        JsonNode run = json("api/run");
        assertThat(run.path("name").stringValue()).isEqualTo("run");
        assertThat(run.path("finished").booleanValue()).isTrue();
        assertThat(run.path("report").path("output").path("pages").intValue()).isEqualTo(1);
        assertThat(run.path("report")
                        .path("domains")
                        .path("largest")
                        .get(0)
                        .path("pages")
                        .intValue())
                .isEqualTo(5);
        assertThat(run.path("config").stringValue()).contains("min_stop_words: off");
        assertThat(run.path("samples").path(".kept").intValue()).isEqualTo(3);
        assertThat(run.path("samples").path("gopher_quality.few_words").intValue())
                .isEqualTo(2);
    }

    @Test
    void showsSamplesWithTheirPages() throws Exception {
        JsonNode heads = json("api/samples?stage=gopher_quality&reason=few_words");
        assertThat(heads).hasSize(2);
        assertThat(json("api/samples?stage=&reason=kept")).hasSize(3);
        assertThat(json("api/samples?stage=none&reason=none")).isEmpty();
        JsonNode sample = sample("hostile");
        assertThat(sample.path("html").stringValue()).isEqualTo(HOSTILE);
        assertThat(sample.path("text").stringValue()).contains("What is left");
        assertThat(get("api/samples/9999").body()).contains("there is no sample 9999: there are 5");
    }

    private JsonNode sample(String name) throws Exception {
        return json("api/samples/" + number(name));
    }

    /// Nothing of a stranger's page runs or is loaded: it is only structure, in a sandbox.
    @Test
    void makesHostilePagesHarmless() throws Exception {
        for (JsonNode head : json("api/samples?stage=gopher_quality&reason=few_words")) {
            HttpResponse<String> reply =
                    get("api/rendered/" + head.path("number").intValue());
            assertThat(reply.statusCode()).isEqualTo(200);
            assertThat(reply.headers().firstValue("Content-Security-Policy"))
                    .hasValueSatisfying(policy ->
                            assertThat(policy).startsWith("sandbox; default-src 'none'; style-src 'unsafe-inline'"));
            String body = reply.body().substring(reply.body().indexOf("<body>"));
            assertThat(body)
                    .doesNotContain("evil", "javascript", "<script", "<style", "<img", "<iframe", "<form", "<svg")
                    .doesNotContainPattern("<[^>]*\\son\\w+\\s*=")
                    .doesNotContainPattern("<[^>]*\\s(style|src|href)\\s*=");
        }
        assertThat(get("api/rendered/" + number("hostile")).body()).contains("<em>left</em>");
        assertThat(get("api/rendered/" + number("deep")).body()).contains("deep");
    }

    private int number(String name) throws Exception {
        for (JsonNode head : json("api/samples?stage=gopher_quality&reason=few_words")) {
            if (head.path("url").stringValue().contains(name)) {
                return head.path("number").intValue();
            }
        }
        throw new AssertionError("no sample of " + name);
    }

    @Test
    void showsClusters() throws Exception {
        JsonNode heads = json("api/clusters");
        assertThat(heads).hasSize(1);
        assertThat(heads.get(0).path("pages").intValue()).isEqualTo(3);
        JsonNode cluster = json("api/clusters/0");
        assertThat(cluster.path("stage").stringValue()).isEqualTo("exact_duplicates");
        assertThat(cluster.path("members")
                        .valueStream()
                        .map(member -> member.path("dropped").booleanValue()))
                .containsExactly(false, true, true);
    }

    @Test
    void showsWhatIsNewWhenTheRunHasGoneOn() throws Exception {
        Path report = folder.resolve("run/report.json");
        String text = Files.readString(report);
        Files.delete(report);
        JsonNode run = json("api/run");
        assertThat(run.path("finished").booleanValue()).isFalse();
        assertThat(run.path("done").intValue()).isEqualTo(1);
        assertThat(run.path("report").path("output").path("pages").intValue()).isEqualTo(3);
        assertThat(sample("hostile").path("text").stringValue()).contains("What is left");
        Files.writeString(report, text);
        assertThat(json("api/run").path("finished").booleanValue()).isTrue();
    }

    @Test
    void refusesWhatIsNoRunAndWhoMayNotReadIt() {
        assertThatThrownBy(() -> new InspectPage(folder.resolve("site"), HERE, Optional.empty()))
                .hasMessageContaining("is no run of quern corpus build");
        InetSocketAddress everywhere = new InetSocketAddress("0.0.0.0", 0);
        assertThatThrownBy(() -> new InspectPage(folder.resolve("run"), everywhere, Optional.empty()))
                .hasMessageContaining("needs a token: set QUERN_DASHBOARD_TOKEN");
    }
}
