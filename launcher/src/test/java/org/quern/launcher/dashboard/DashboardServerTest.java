package org.quern.launcher.dashboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.Json;
import org.quern.base.QuernException;

class DashboardServerTest {
    private static final InetSocketAddress HERE = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);

    @TempDir
    Path folder;

    private final HttpClient client = HttpClient.newHttpClient();
    private Path metrics;
    private DashboardServer server;

    @BeforeEach
    void start() throws IOException {
        Files.createDirectories(folder.resolve("logs"));
        Files.writeString(folder.resolve("config.yaml"), "run: {seed: 1}\n");
        metrics = Files.writeString(folder.resolve("metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n{\"st");
        server = new DashboardServer(List.of(folder), HERE, Optional.empty());
    }

    @AfterEach
    void stop() {
        server.close();
        client.close();
    }

    private HttpResponse<String> get(String path, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(server.url() + path));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "dashboard.js", "dashboard.css", "uplot.js", "uplot.css"})
    void servesThePageFromItsOwnFiles(String path) throws Exception {
        HttpResponse<String> reply = get(path);
        assertThat(reply.statusCode()).isEqualTo(200);
        assertThat(reply.body()).isNotBlank().doesNotContain("src=\"http", "href=\"http", "fetch('http");
        assertThat(reply.headers().firstValue("Content-Security-Policy").orElseThrow())
                .contains("default-src 'self'");
    }

    @Test
    void listsRuns() throws Exception {
        var runs = Json.MAPPER.readTree(get("api/runs").body());
        assertThat(runs).hasSize(1);
        assertThat(runs.get(0).path("name").asString())
                .isEqualTo(folder.getFileName().toString());
        assertThat(runs.get(0).path("config").asString()).isEqualTo("run: {seed: 1}\n");
    }

    /// Whole lines only, each once, also when the file is cut because a run went on from an earlier step.
    @Test
    void followsAFile() throws Exception {
        HttpResponse<String> first = get("api/runs/0/metrics?from=0");
        assertThat(first.body()).isEqualTo("{\"step\":1}\n{\"step\":2}\n");
        String next = first.headers().firstValue("X-Next").orElseThrow();
        assertThat(get("api/runs/0/metrics?from=" + next).body()).isEmpty();
        Files.writeString(metrics, "ep\":3}\n", StandardOpenOption.APPEND);
        HttpResponse<String> second = get("api/runs/0/metrics?from=" + next);
        assertThat(second.body()).isEqualTo("{\"step\":3}\n");
        Files.writeString(metrics, "{\"step\":1}\n");
        HttpResponse<String> cut = get("api/runs/0/metrics?from="
                + second.headers().firstValue("X-Next").orElseThrow());
        assertThat(cut.body()).isEmpty();
        assertThat(cut.headers().firstValue("X-Next")).hasValue("0");
        assertThat(get("api/runs/0/samples").body()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "api/runs/1/metrics",
                "api/runs/0/config.yaml",
                "api/runs/0/..%2f..%2fetc%2fpasswd",
                "..%2f..%2fetc/passwd",
                "etc/passwd",
                "dashboard.html"
            })
    void servesNothingElse(String path) throws Exception {
        assertThat(get(path).statusCode()).isEqualTo(404);
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "-1", "99999999999999999999", ""})
    void refusesOffsetsThatAreNone(String from) throws Exception {
        assertThat(get("api/runs/0/metrics?from=" + from).statusCode()).isEqualTo(400);
    }

    @Test
    void changesNothing() throws Exception {
        HttpRequest post = HttpRequest.newBuilder(URI.create(server.url() + "api/runs"))
                .POST(HttpRequest.BodyPublishers.ofString("x"))
                .build();
        assertThat(client.send(post, HttpResponse.BodyHandlers.ofString()).statusCode())
                .isEqualTo(405);
    }

    /// A page of another site that has its name point here (DNS rebinding).
    @Test
    void repliesToNamesOfThisMachineOnly() throws Exception {
        assertThat(raw("GET /api/runs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 403");
        assertThat(raw("GET /api/runs HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 200");
    }

    private String raw(String request) throws IOException {
        URI uri = URI.create(server.url());
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), uri.getPort())) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void needsATokenForOthers() throws Exception {
        assertThatThrownBy(() ->
                        new DashboardServer(List.of(folder), new InetSocketAddress("0.0.0.0", 0), Optional.empty()))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("needs a token: set QUERN_DASHBOARD_TOKEN");
        server.close();
        server = new DashboardServer(List.of(folder), HERE, Optional.of("canary-3f9"));
        assertThat(get("").statusCode()).isEqualTo(401);
        assertThat(get("api/runs", "Authorization", "Bearer canary-3f8").statusCode())
                .isEqualTo(401);
        assertThat(get("api/runs", "Authorization", "Bearer canary-3f9").statusCode())
                .isEqualTo(200);
        assertThat(get("?token=wrong").statusCode()).isEqualTo(401);
        HttpResponse<String> login = get("?token=canary-3f9");
        assertThat(login.statusCode()).isEqualTo(303);
        String cookie = login.headers().firstValue("Set-Cookie").orElseThrow();
        assertThat(cookie).contains("HttpOnly", "SameSite=Strict");
        assertThat(get("api/runs", "Cookie", "a=b; " + cookie.split(";")[0]).statusCode())
                .isEqualTo(200);
    }

    /// Connections that say nothing do not keep others out.
    @Test
    void goesOnBesideManyIdleConnections() throws Exception {
        int port = URI.create(server.url()).getPort();
        List<Socket> idle = new ArrayList<>();
        try {
            for (int i = 0; i < 100; i++) {
                Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
                idle.add(socket);
                if (i % 2 == 0) {
                    socket.getOutputStream().write("GET / HT".getBytes(StandardCharsets.US_ASCII));
                }
            }
            assertThat(get("api/runs").statusCode()).isEqualTo(200);
        } finally {
            for (Socket socket : idle) {
                socket.close();
            }
        }
    }

    @Test
    void saysThatAPortIsTaken() {
        InetSocketAddress taken = new InetSocketAddress(
                InetAddress.getLoopbackAddress(), URI.create(server.url()).getPort());
        assertThatThrownBy(() -> new DashboardServer(List.of(folder), taken, Optional.empty()))
                .hasMessageContaining("cannot listen on")
                .hasMessageContaining("try another port");
    }
}
