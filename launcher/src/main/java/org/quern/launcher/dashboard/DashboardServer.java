package org.quern.launcher.dashboard;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.launcher.page.PageServer;
import org.quern.launcher.page.Reply;
import org.quern.launcher.page.Route;

/// Serves a page that shows runs while they go on: it reads the files in their folders, and writes nothing.
///
/// ```
/// GET /                                    the page; /dashboard.js and the like beside it
/// GET /api/runs                            [{"id": 0, "name": "quickstart", "config": "...", "silent_seconds": 3}]
/// GET /api/runs/0/metrics?from=BYTE        lines of metrics.jsonl from there on; likewise samples, events, workers
/// ```
///
/// The reply of the last ones names in `X-Next` the byte to go on from, less than `from` when the file was cut.
public final class DashboardServer implements AutoCloseable {
    private static final String FILE = "/api/runs/(\\d{1,4})/(metrics|samples|events|workers)";
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
    private final PageServer server;

    /// A server that has started.
    ///
    /// @param runs folders of runs, which need not be there yet
    /// @param address of this machine to listen on; port 0: any that is free
    /// @param token that clients must know; without one, only the loopback address is allowed
    public DashboardServer(List<Path> runs, InetSocketAddress address, Optional<String> token) {
        this.runs = List.copyOf(runs);
        server = new PageServer(
                DashboardServer.class,
                RESOURCES,
                List.of(Route.get("/api/runs", _ -> Reply.json(runs())), Route.get(FILE, this::part)),
                address,
                token);
    }

    /// Where browsers find it.
    public String url() {
        return server.url();
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

    private Reply part(Route.Request request) throws IOException {
        if (request.number(1) >= runs.size()) {
            return Reply.text(404, "there is no run " + request.number(1));
        }
        String from = request.query().getOrDefault("from", "0");
        if (!from.matches("\\d{1,18}")) {
            return Reply.text(400, "from must be a number of bytes: got " + from);
        }
        Path file = runs.get(request.number(1)).resolve(FILES.get(request.path().group(2)));
        LinesFrom lines = LinesFrom.read(file, Long.parseLong(from));
        return new Reply(
                200, "text/plain; charset=utf-8", lines.bytes(), Map.of("X-Next", Long.toString(lines.next())));
    }

    @Override
    public void close() {
        server.close();
    }
}
