package org.quern.launcher.page;

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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;

/// Serves a page of the program: files that it comes with, and replies to what the page asks for. The page can load
/// nothing from elsewhere, nor be shown inside a page of another site; who may read it, [PageAccess] says.
public final class PageServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PageServer.class);

    private static final int THREADS = 4;
    private static final int MAX_REQUEST = 8 << 20;
    private static final Map<String, String> HEADERS = Map.of(
            "Cache-Control", "no-store",
            "Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
            "X-Content-Type-Options", "nosniff",
            "Referrer-Policy", "no-referrer");

    private final Class<?> home;
    private final Map<String, String> resources;
    private final List<Route> routes;
    private final PageAccess access;
    private final HttpServer server;
    private final ExecutorService threads;

    /// A server that has started.
    ///
    /// @param home the class beside which the files are
    /// @param resources paths to files
    /// @param address of this machine to listen on; port 0: any that is free
    /// @param token that clients must know; without one, only the loopback address is allowed
    public PageServer(
            Class<?> home,
            Map<String, String> resources,
            List<Route> routes,
            InetSocketAddress address,
            Optional<String> token) {
        this.home = home;
        this.resources = Map.copyOf(resources);
        this.routes = List.copyOf(routes);
        access = new PageAccess(address, token);
        ServerLimits.set();
        try {
            server = HttpServer.create(address, 64);
        } catch (BindException e) {
            throw new QuernException(
                    ExitCode.RETRYABLE,
                    "the page cannot listen on %s:%d: %s (try another port, or 0 for any)"
                            .formatted(address.getHostString(), address.getPort(), e.getMessage()),
                    e);
        } catch (IOException e) {
            throw QuernException.io("the page cannot listen", e);
        }
        threads = Executors.newFixedThreadPool(
                THREADS, Thread.ofPlatform().daemon().name("page-", 0).factory());
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
            Reply reply = reply(exchange);
            Headers headers = exchange.getResponseHeaders();
            HEADERS.forEach(headers::set);
            headers.set("Content-Type", reply.type());
            reply.headers().forEach(headers::set);
            byte[] body = reply.body();
            boolean head = exchange.getRequestMethod().equals("HEAD");
            exchange.sendResponseHeaders(reply.status(), head || body.length == 0 ? -1 : body.length);
            if (!head && body.length > 0) {
                exchange.getResponseBody().write(body);
            }
        } catch (IOException e) {
            LOG.debug("a reader of the page left: {}", e.getMessage());
        } catch (RuntimeException e) {
            LOG.warn("the page failed at {}: {}", exchange.getRequestURI().getPath(), e.toString());
        }
    }

    private Reply reply(HttpExchange exchange) throws IOException {
        Map<String, String> query = query(exchange.getRequestURI().getRawQuery());
        Optional<Reply> refusal = access.refusal(exchange, query);
        if (refusal.isPresent()) {
            return refusal.get();
        }
        String path = exchange.getRequestURI().getPath();
        String method = exchange.getRequestMethod().equals("HEAD") ? "GET" : exchange.getRequestMethod();
        if (resources.containsKey(path)) {
            return method.equals("GET") ? resource(resources.get(path)) : Reply.text(405, "only GET is allowed");
        }
        for (Route route : routes) {
            Matcher found = route.path().matcher(path);
            if (found.matches()) {
                return method.equals(route.method())
                        ? reply(route, found, query, exchange)
                        : Reply.text(405, "only %s is allowed".formatted(route.method()));
            }
        }
        return Reply.text(404, "there is no " + path);
    }

    private static Reply reply(Route route, Matcher path, Map<String, String> query, HttpExchange exchange)
            throws IOException {
        byte[] body =
                route.method().equals("POST") ? exchange.getRequestBody().readNBytes(MAX_REQUEST + 1) : new byte[0];
        if (body.length > MAX_REQUEST) {
            return Reply.text(413, "a request must be at most %d bytes".formatted(MAX_REQUEST));
        }
        try {
            return route.handler().reply(new Route.Request(path, query, body));
        } catch (JacksonException e) {
            return Reply.text(400, "expected JSON: " + e.getOriginalMessage());
        } catch (QuernException e) {
            return Reply.text(400, e.getMessage());
        }
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

    private Reply resource(String name) throws IOException {
        try (InputStream in = home.getResourceAsStream(name)) {
            String type = name.endsWith(".js") ? "text/javascript" : name.endsWith(".css") ? "text/css" : "text/html";
            return new Reply(200, type + "; charset=utf-8", in.readAllBytes(), Map.of());
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
