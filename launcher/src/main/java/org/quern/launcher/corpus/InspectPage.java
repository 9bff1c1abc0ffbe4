package org.quern.launcher.corpus;

import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.quern.corpus.extract.SafeHtml;
import org.quern.corpus.run.InspectedRun;
import org.quern.corpus.run.Sample;
import org.quern.launcher.page.PageServer;
import org.quern.launcher.page.Reply;
import org.quern.launcher.page.Route;

/// A page that shows what a run of `quern corpus build` made of its pages and why; it writes nothing.
///
/// ```
/// GET /api/run                          {"name", "finished", "files", "done", "config", "report", "samples"}
/// GET /api/samples?stage=S&reason=R     heads of samples
/// GET /api/samples/7                    one with its HTML and text
/// GET /api/rendered/7                   its HTML made safe, to be shown in a frame
/// GET /api/clusters                     heads of clusters of duplicates
/// GET /api/clusters/7                   one with its pages' texts
/// ```
///
/// A run that goes on is read again when `/api/run` finds that there is more.
public final class InspectPage implements AutoCloseable {
    private static final Map<String, String> RESOURCES = Map.of(
            "/", "inspect.html",
            "/inspect.css", "inspect.css",
            "/inspect.js", "inspect.js",
            "/overview.js", "overview.js",
            "/samples.js", "samples.js",
            "/duplicates.js", "duplicates.js",
            "/domains.js", "domains.js",
            "/parts.js", "parts.js");
    /// Documents of strangers may do nothing at all, wherever they are opened.
    private static final String SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
            + " form-action 'none'; frame-ancestors 'self'";

    private final Path folder;
    private final PageServer server;
    private InspectedRun run;

    /// A page that can be read from now on.
    ///
    /// @param folder of the run
    /// @param address of this machine to listen on; port 0: any that is free
    /// @param token that clients must know; without one, only the loopback address is allowed
    /// @throws org.quern.base.QuernException if that is no such folder
    public InspectPage(Path folder, InetSocketAddress address, Optional<String> token) {
        this.folder = folder;
        run = InspectedRun.read(folder);
        server = new PageServer(
                InspectPage.class,
                RESOURCES,
                List.of(
                        Route.get("/api/run", _ -> Reply.json(describe(current()))),
                        Route.get("/api/samples", request -> Reply.json(samples(request))),
                        Route.get("/api/samples/(\\d{1,8})", request -> Reply.json(sample(request))),
                        Route.get("/api/rendered/(\\d{1,8})", request -> rendered(sample(request))),
                        Route.get("/api/clusters", _ -> Reply.json(known().clusters())),
                        Route.get(
                                "/api/clusters/(\\d{1,8})", request -> Reply.json(known().cluster(request.number(1))))),
                address,
                token);
    }

    /// Where browsers find it.
    public String url() {
        return server.url();
    }

    private synchronized InspectedRun known() {
        return run;
    }

    private synchronized InspectedRun current() {
        if (!run.isCurrent()) {
            run = InspectedRun.read(folder);
        }
        return run;
    }

    private Map<String, Object> describe(InspectedRun shown) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("name", folder.toAbsolutePath().normalize().getFileName().toString());
        all.put("finished", shown.isFinished());
        all.put("files", shown.partitions());
        all.put("done", shown.done());
        all.put("config", shown.config());
        all.put("report", shown.report());
        all.put(
                "samples",
                shown.samples().stream()
                        .collect(Collectors.groupingBy(
                                head -> head.stage() + "." + head.reason(), TreeMap::new, Collectors.counting())));
        return all;
    }

    private List<InspectedRun.Head> samples(Route.Request request) {
        String stage = request.query().getOrDefault("stage", "");
        String reason = request.query().getOrDefault("reason", "kept");
        return known().samples().stream()
                .filter(head -> head.stage().equals(stage) && head.reason().equals(reason))
                .toList();
    }

    private Sample sample(Route.Request request) {
        return known().sample(request.number(1));
    }

    private static Reply rendered(Sample sample) {
        return new Reply(
                200,
                "text/html; charset=utf-8",
                SafeHtml.of(sample.html()).getBytes(StandardCharsets.UTF_8),
                Map.of("Content-Security-Policy", SANDBOX, "X-DNS-Prefetch-Control", "off"));
    }

    @Override
    public void close() {
        server.close();
    }
}
