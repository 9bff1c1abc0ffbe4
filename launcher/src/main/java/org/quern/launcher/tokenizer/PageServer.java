package org.quern.launcher.tokenizer;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.launcher.ServerLimits;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Serves a page of this machine to its own browsers: files of the program, and functions from JSON to JSON,
/// which are called with POST. It listens on the loopback address only and replies to requests that call it by
/// a name of this machine, so that no page of another site can read it.
final class PageServer implements AutoCloseable {
    private static final int THREADS = 4;
    private static final int MAX_REQUEST = 8 << 20;
    private static final Set<String> OF_THIS_MACHINE = Set.of("localhost", "127.0.0.1", "[::1]");

    private final Map<String, String> resources;
    private final Map<String, Function<JsonNode, Object>> functions;
    private final HttpServer server;
    private final ExecutorService threads;

    private record Reply(int status, String type, byte[] body) {
        static Reply text(int status, String text) {
            return new Reply(status, "text/plain; charset=utf-8", (text + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    /// A server that has started.
    ///
    /// @param resources paths to files beside this class
    /// @param functions by path; a [QuernException] becomes the text of a reply with status 400
    /// @param port 0: any that is free
    PageServer(Map<String, String> resources, Map<String, Function<JsonNode, Object>> functions, int port) {
        if (port < 0 || port > 65_535) {
            throw new QuernException(ExitCode.USAGE, "a port must be 0 to 65535: got " + port);
        }
        this.resources = resources;
        this.functions = functions;
        ServerLimits.set();
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 64);
        } catch (IOException e) {
            throw new QuernException(
                    ExitCode.RETRYABLE,
                    "the page cannot listen on port %d: %s (try another port, or 0 for any)"
                            .formatted(port, e.getMessage()),
                    e);
        }
        threads = Executors.newFixedThreadPool(
                THREADS, Thread.ofPlatform().daemon().name("page-", 0).factory());
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    String url() {
        return "http://localhost:%d/".formatted(server.getAddress().getPort());
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Reply reply = reply(exchange);
            Headers headers = exchange.getResponseHeaders();
            headers.set("Content-Type", reply.type());
            headers.set("Cache-Control", "no-store");
            headers.set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'");
            headers.set("X-Content-Type-Options", "nosniff");
            headers.set("Referrer-Policy", "no-referrer");
            exchange.sendResponseHeaders(reply.status(), reply.body().length);
            exchange.getResponseBody().write(reply.body());
        }
    }

    private Reply reply(HttpExchange exchange) throws IOException {
        String host = Optional.ofNullable(exchange.getRequestHeaders().getFirst("Host"))
                .orElse("")
                .replaceFirst(":\\d+$", "");
        if (!OF_THIS_MACHINE.contains(host)) {
            return Reply.text(403, "this page replies to requests for localhost only");
        }
        String path = exchange.getRequestURI().getPath();
        String method = exchange.getRequestMethod();
        if (resources.containsKey(path)) {
            return method.equals("GET") ? resource(resources.get(path)) : Reply.text(405, "only GET is allowed");
        }
        if (!functions.containsKey(path)) {
            return Reply.text(404, "there is no " + path);
        }
        if (!method.equals("POST")) {
            return Reply.text(405, "only POST is allowed");
        }
        byte[] request = exchange.getRequestBody().readNBytes(MAX_REQUEST + 1);
        if (request.length > MAX_REQUEST) {
            return Reply.text(413, "a request must be at most %d bytes".formatted(MAX_REQUEST));
        }
        try {
            Object result = functions.get(path).apply(Json.MAPPER.readTree(request));
            return new Reply(200, "application/json", Json.MAPPER.writeValueAsBytes(result));
        } catch (JacksonException e) {
            return Reply.text(400, "expected JSON: " + e.getOriginalMessage());
        } catch (QuernException e) {
            return Reply.text(400, e.getMessage());
        }
    }

    private static Reply resource(String name) throws IOException {
        try (InputStream in = PageServer.class.getResourceAsStream(name)) {
            String type = name.endsWith(".js") ? "text/javascript" : name.endsWith(".css") ? "text/css" : "text/html";
            return new Reply(200, type + "; charset=utf-8", in.readAllBytes());
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
