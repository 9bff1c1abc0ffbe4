package org.quern.launcher.dashboard;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.launcher.ServerLimits;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Serves a page that shows runs while they go on: it reads the files in their folders, and writes nothing.
///
/// ```
/// GET /                                    the page; /dashboard.js and the like beside it
/// GET /api/runs                            [{"id": 0, "name": "quickstart", "config": "...", "silent_seconds": 3}]
/// GET /api/runs/0/metrics?from=BYTE        lines of metrics.jsonl from there on; likewise samples, events, workers
/// ```
///
/// The reply of the last ones names in `X-Next` the byte to go on from, less than `from` when the file was cut.
/// Without a token it listens on this machine only, and replies to requests that call it by a name of this
/// machine: a page of another site cannot read it. With one, `Authorization: Bearer TOKEN` is needed, or the
/// cookie that `/?token=TOKEN` sets.
public final class DashboardServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DashboardServer.class);

    private static final int THREADS = 4;
    private static final String COOKIE = "quern-token";
    private static final Pattern FILE = Pattern.compile("/api/runs/(\\d{1,4})/(metrics|samples|events|workers)");
    private static final Set<String> OF_THIS_MACHINE = Set.of("localhost", "127.0.0.1", "[::1]");
    private static final String UPLOT = "/META-INF/resources/webjars/uplot/1.6.30/dist/";

    /// What is served beside the page's data: path to resource.
    private static final Map<String, String> RESOURCES = Map.of(
            "/", "dashboard.html",
            "/dashboard.js", "dashboard.js",
            "/dashboard.css", "dashboard.css",
            "/uplot.js", UPLOT + "uPlot.iife.min.js",
            "/uplot.css", UPLOT + "uPlot.min.css");

    /// A file of a run's folder.
    private static final Map<String, String> FILES = Map.of(
            "metrics", "metrics.jsonl",
            "samples", "samples.jsonl",
            "events", "logs/events.jsonl",
            "workers", "logs/workers.json");

    private final List<Path> runs;
    private final Optional<byte[]> token;
    private final HttpServer server;
    private final ExecutorService threads;

    /// A server that has started.
    ///
    /// @param runs folders of runs, which need not be there yet
    /// @param address of this machine to listen on; port 0: any that is free
    /// @param token that clients must know; without one, only the loopback address is allowed
    public DashboardServer(List<Path> runs, InetSocketAddress address, Optional<String> token) {
        if (token.isEmpty() && !address.getAddress().isLoopbackAddress()) {
            throw new QuernException(
                    ExitCode.USAGE,
                    "a dashboard on %s can be read by others, so it needs a token: set QUERN_DASHBOARD_TOKEN, or leave out the host"
                            .formatted(address.getHostString()));
        }
        this.runs = List.copyOf(runs);
        this.token = token.map(text -> text.getBytes(StandardCharsets.UTF_8));
        ServerLimits.set();
        try {
            server = HttpServer.create(address, 64);
        } catch (BindException e) {
            throw new QuernException(
                    ExitCode.RETRYABLE,
                    "the dashboard cannot listen on %s:%d: %s (try another port, or 0 for any)"
                            .formatted(address.getHostString(), address.getPort(), e.getMessage()),
                    e);
        } catch (IOException e) {
            throw QuernException.io("the dashboard cannot listen: " + e.getMessage(), e);
        }
        threads = Executors.newFixedThreadPool(
                THREADS, Thread.ofPlatform().daemon().name("dashboard-", 0).factory());
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    /// Where browsers find it.
    public String url() {
        InetSocketAddress address = server.getAddress();
        InetAddress host = address.getAddress();
        String name = host.isLoopbackAddress() || host.isAnyLocalAddress() ? "localhost" : host.getHostAddress();
        return "http://%s:%d/".formatted(name, address.getPort());
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            exchange.getRequestBody().close();
            Reply reply = reply(exchange);
            Headers headers = exchange.getResponseHeaders();
            headers.set("Content-Type", reply.type());
            headers.set("Cache-Control", "no-store");
            headers.set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'");
            headers.set("X-Content-Type-Options", "nosniff");
            headers.set("Referrer-Policy", "no-referrer");
            reply.headers().forEach(headers::set);
            byte[] body = reply.body();
            boolean head = exchange.getRequestMethod().equals("HEAD");
            exchange.sendResponseHeaders(reply.status(), head || body.length == 0 ? -1 : body.length);
            if (!head && body.length > 0) {
                exchange.getResponseBody().write(body);
            }
        } catch (IOException e) {
            LOG.debug("a reader of the dashboard left: {}", e.getMessage());
        } catch (RuntimeException e) {
            LOG.warn("the dashboard failed at {}: {}", exchange.getRequestURI().getPath(), e.toString());
        }
    }

    private record Reply(int status, String type, byte[] body, Map<String, String> headers) {
        static Reply text(int status, String text) {
            return new Reply(
                    status, "text/plain; charset=utf-8", (text + "\n").getBytes(StandardCharsets.UTF_8), Map.of());
        }
    }

    private Reply reply(HttpExchange exchange) throws IOException {
        String method = exchange.getRequestMethod();
        if (!method.equals("GET") && !method.equals("HEAD")) {
            return Reply.text(405, "only GET is allowed");
        }
        if (token.isEmpty() && !callsThisMachine(exchange)) {
            return Reply.text(403, "this dashboard replies to requests for localhost only");
        }
        Map<String, String> query = query(exchange.getRequestURI().getRawQuery());
        String path = exchange.getRequestURI().getPath();
        if (token.isPresent() && !isAllowed(exchange)) {
            if (path.equals("/") && isToken(query.getOrDefault("token", ""))) {
                return new Reply(
                        303,
                        "text/plain",
                        new byte[0],
                        Map.of(
                                "Location",
                                "/",
                                "Set-Cookie",
                                COOKIE + "=" + query.get("token") + "; HttpOnly; SameSite=Strict; Path=/"));
            }
            return Reply.text(401, "a token is needed: open /?token=TOKEN, or send Authorization: Bearer TOKEN");
        }
        if (RESOURCES.containsKey(path)) {
            return resource(RESOURCES.get(path));
        }
        if (path.equals("/api/runs")) {
            return json(runs());
        }
        Matcher file = FILE.matcher(path);
        if (file.matches() && Integer.parseInt(file.group(1)) < runs.size()) {
            Path folder = runs.get(Integer.parseInt(file.group(1)));
            return part(folder.resolve(FILES.get(file.group(2))), query.getOrDefault("from", "0"));
        }
        return Reply.text(404, "there is no " + path);
    }

    private static boolean callsThisMachine(HttpExchange exchange) {
        String host = Optional.ofNullable(exchange.getRequestHeaders().getFirst("Host"))
                .orElse("")
                .replaceFirst(":\\d+$", "");
        return OF_THIS_MACHINE.contains(host);
    }

    private boolean isAllowed(HttpExchange exchange) {
        Headers headers = exchange.getRequestHeaders();
        String authorization =
                Optional.ofNullable(headers.getFirst("Authorization")).orElse("");
        if (authorization.startsWith("Bearer ")) {
            return isToken(authorization.substring("Bearer ".length()));
        }
        return Optional.ofNullable(headers.get("Cookie")).orElse(List.of()).stream()
                .flatMap(line -> Pattern.compile(";\\s*").splitAsStream(line))
                .filter(cookie -> cookie.startsWith(COOKIE + "="))
                .anyMatch(cookie -> isToken(cookie.substring(COOKIE.length() + 1)));
    }

    private boolean isToken(String given) {
        return MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), token.orElseThrow());
    }

    private static Map<String, String> query(String raw) {
        Map<String, String> query = new LinkedHashMap<>();
        for (String pair : raw == null ? new String[0] : raw.split("&")) {
            int equals = pair.indexOf('=');
            if (equals > 0) {
                try {
                    query.put(
                            pair.substring(0, equals),
                            URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8));
                } catch (IllegalArgumentException e) {
                    LOG.debug("a query that cannot be read: {}", e.getMessage());
                }
            }
        }
        return query;
    }

    private static Reply resource(String name) throws IOException {
        try (InputStream in = DashboardServer.class.getResourceAsStream(name)) {
            String type = name.endsWith(".js")
                    ? "text/javascript; charset=utf-8"
                    : name.endsWith(".css") ? "text/css; charset=utf-8" : "text/html; charset=utf-8";
            return new Reply(200, type, in.readAllBytes(), Map.of());
        }
    }

    private List<Map<String, Object>> runs() {
        return runs.stream()
                .map(folder -> Map.<String, Object>of(
                        "id",
                        runs.indexOf(folder),
                        "name",
                        folder.toAbsolutePath().normalize().getFileName().toString(),
                        "config",
                        LinesFrom.text(folder.resolve("config.yaml")),
                        "silent_seconds",
                        LinesFrom.age(folder.resolve(FILES.get("metrics")))))
                .toList();
    }

    private static Reply json(Object value) {
        return new Reply(200, "application/json", Json.MAPPER.writeValueAsBytes(value), Map.of());
    }

    private static Reply part(Path file, String from) throws IOException {
        if (!from.matches("\\d{1,18}")) {
            return Reply.text(400, "from must be a number of bytes: got " + from);
        }
        LinesFrom lines = LinesFrom.read(file, Long.parseLong(from));
        return new Reply(
                200, "text/plain; charset=utf-8", lines.bytes(), Map.of("X-Next", Long.toString(lines.next())));
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
