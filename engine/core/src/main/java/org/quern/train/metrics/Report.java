package org.quern.train.metrics;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.quern.base.QuernException;
import org.quern.base.Version;
import org.quern.train.TrainEvent;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/// Writes `report.html` in the folder of a run: what came out of it, its curves, samples, config and machine, in one
/// file that needs nothing else. It is made of the other files of the folder, so it can be made again at any time.
///
/// As a listener (after [MetricsFile]) it writes the report at each checkpoint and, however the run ends, when it is
/// closed.
public final class Report implements TrainEvent.Listener, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Report.class);
    private static final String STYLE = resource("report.css");
    private static final String SCRIPT = resource("report.js");

    /// Settings under the title: what each is called, and where it is in the config.
    private static final Map<String, String> FACTS = new LinkedHashMap<>();

    static {
        FACTS.put("architecture", "model.architecture");
        FACTS.put("layers", "model.num_hidden_layers");
        FACTS.put("width", "model.hidden_size");
        FACTS.put("heads", "model.num_attention_heads");
        FACTS.put("sequences a step", "train.global_batch");
        FACTS.put("tokens a sequence", "train.sequence_length");
        FACTS.put("optimizer", "optimizer.name");
        FACTS.put("peak learning rate", "optimizer.lr");
    }

    private Path run;

    @Override
    public void on(TrainEvent event) {
        switch (event) {
            case TrainEvent.Started e -> run = e.run();
            case TrainEvent.CheckpointSaved _ -> tryWrite();
            case TrainEvent.Step _,
                    TrainEvent.Evaluation _,
                    TrainEvent.Sample _,
                    TrainEvent.Spike _,
                    TrainEvent.CheckpointFailed _,
                    TrainEvent.CheckpointUploaded _,
                    TrainEvent.CheckpointUploadFailed _,
                    TrainEvent.Profiled _,
                    TrainEvent.Finished _ -> {}
        }
    }

    @Override
    public void close() {
        if (run != null) {
            tryWrite();
        }
    }

    private void tryWrite() {
        try {
            write(run);
        } catch (QuernException e) {
            LOG.warn("no report: {}", e.getMessage());
        }
    }

    /// Writes the report of the run in a folder.
    public static void write(Path run) {
        Path file = run.resolve("report.html");
        try {
            String html = html(run.toAbsolutePath().getFileName().toString(), RunHistory.read(run));
            AtomicFile.write(file, out -> out.write(html));
        } catch (IOException e) {
            throw QuernException.io("cannot write %s".formatted(file), e);
        }
    }

    private static String html(String folder, RunHistory run) {
        Object named = run.setting("run.name");
        String name = named == null ? folder : named.toString();
        StringBuilder html = new StringBuilder();
        html.append("""
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'"/>
                <title>%s</title>
                <style>
                %s</style>
                </head>
                <body>
                <main>
                """.formatted(sha256(SCRIPT), Html.escape(name), STYLE));
        header(html, name, run);
        tiles(html, run);
        charts(html, run);
        samples(html, run.samplesByStep());
        evaluations(html, run);
        events(html, run);
        if (!run.config().isEmpty()) {
            section(html, "Config", "<pre class=\"yaml\">" + yaml(run.config()) + "</pre>");
        }
        machine(html, run.starts());
        html.append("<footer>Written by Quern %s</footer>\n</main>\n<script>%s</script>\n</body>\n</html>\n"
                .formatted(Html.escape(Version.current().toString()), SCRIPT));
        return html.toString();
    }

    private static void header(StringBuilder html, String name, RunHistory run) {
        html.append("<header>\n<p class=\"eyebrow\">Training run</p>\n<h1>%s <span class=\"chip %s\">%s</span></h1>\n"
                .formatted(Html.escape(name), state(run).name().toLowerCase(Locale.ROOT), stateText(run)));
        String facts = FACTS.entrySet().stream()
                .filter(fact -> run.setting(fact.getValue()) != null)
                .map(fact -> "<span>%s <b>%s</b></span>"
                        .formatted(
                                fact.getKey(),
                                Html.escape(run.setting(fact.getValue()).toString())))
                .collect(Collectors.joining("\n"));
        html.append("<p class=\"facts\">%s</p>\n".formatted(facts));
        html.append("</header>\n");
    }

    private enum State {
        COMPLETE,
        STOPPED,
        UNFINISHED
    }

    private static State state(RunHistory run) {
        if (run.events().isEmpty()) {
            return State.UNFINISHED;
        }
        JsonNode last = run.events().getLast();
        if (!last.path("event").asString("").equals("finished")) {
            return State.UNFINISHED;
        }
        return last.path("complete").asBoolean(false) ? State.COMPLETE : State.STOPPED;
    }

    private static String stateText(RunHistory run) {
        long done = run.steps().isEmpty() ? 0 : run.steps().lastKey();
        Object steps = run.setting("train.steps");
        return switch (state(run)) {
            case COMPLETE -> "complete, %s steps".formatted(count(done));
            case STOPPED -> "stopped at step %s".formatted(count(done)) + of(steps);
            case UNFINISHED -> "at step %s".formatted(count(done)) + of(steps);
        };
    }

    private static String of(Object steps) {
        return steps instanceof Number number ? " of " + count(number.longValue()) : "";
    }

    private static void tiles(StringBuilder html, RunHistory run) {
        html.append("<section class=\"tiles\">\n");
        List<RunHistory.Step> steps = List.copyOf(run.steps().values());
        if (!run.evaluations().isEmpty()) {
            RunHistory.Evaluation last = run.evaluations().get(run.evaluations().lastKey());
            RunHistory.Evaluation best =
                    run.evaluations().values().stream().reduce(last, (a, b) -> b.loss() < a.loss() ? b : a);
            String note = best.loss() < last.loss()
                    ? "best %s at step %s".formatted(decimals(best.loss(), 4), count(best.step()))
                    : "its best";
            tile(html, "Validation loss", decimals(last.loss(), 4), note);
            if (Double.isFinite(last.bitsPerByte())) {
                tile(html, "Bits per byte", decimals(last.bitsPerByte(), 4), "of validation text");
            }
        }
        if (!steps.isEmpty()) {
            int tail = Math.clamp(steps.size() / 20, 1, 100);
            double loss = steps.subList(steps.size() - tail, steps.size()).stream()
                    .mapToDouble(RunHistory.Step::loss)
                    .filter(Double::isFinite)
                    .average()
                    .orElse(Double.NaN);
            tile(
                    html,
                    "Training loss",
                    decimals(loss, 4),
                    tail == 1 ? "last step" : "last %s steps".formatted(count(tail)));
            RunHistory.Step last = steps.getLast();
            tile(html, "Tokens", compact(last.tokens()), count(last.tokens()));
            tile(html, "Training time", duration(last.seconds()), starts(run));
            double[] rates = steps.stream()
                    .mapToDouble(RunHistory.Step::tokensPerSecond)
                    .filter(Double::isFinite)
                    .sorted()
                    .toArray();
            if (rates.length > 0) {
                tile(html, "Tokens a second", compact(rates[rates.length / 2]), "median step");
            }
        }
        html.append("</section>\n");
    }

    private static String starts(RunHistory run) {
        long starts = run.events().stream()
                .filter(event -> event.path("event").asString("").equals("started"))
                .count();
        return starts > 1 ? "in %s starts".formatted(count(starts)) : "in one go";
    }

    private static void tile(StringBuilder html, String name, String value, String note) {
        html.append("<div class=\"tile\"><span class=\"name\">%s</span><b>%s</b><span class=\"note\">%s</span></div>\n"
                .formatted(name, value, note));
    }

    private static void charts(StringBuilder html, RunHistory run) {
        List<RunHistory.Step> steps = List.copyOf(run.steps().values());
        if (steps.isEmpty()) {
            html.append("<p class=\"empty\">No steps yet.</p>\n");
            return;
        }
        double[] x = steps.stream().mapToDouble(RunHistory.Step::step).toArray();
        double[] loss = values(steps, RunHistory.Step::loss);
        Chart losses = new Chart("Loss", "nats a token", false)
                .with(new Chart.Series("training", Chart.Style.FAINT, x, loss))
                .with(new Chart.Series("smoothed", Chart.Style.LINE, x, smoothed(steps, loss)));
        Collection<RunHistory.Evaluation> evaluations = run.evaluations().values();
        if (!evaluations.isEmpty()) {
            losses.with(dots("validation", evaluations, RunHistory.Evaluation::loss));
        }
        for (RunHistory.Step step : steps) {
            if (step.skipped()) {
                losses.mark(step.step(), "skipped", "step %s skipped".formatted(count(step.step())));
            }
        }
        for (JsonNode event : run.events()) {
            long step = event.path("step").asLong(0);
            if (event.path("event").asString("").equals("started") && step > 0) {
                losses.mark(step, "resumed", "resumed at step %s".formatted(count(step)));
            }
        }
        html.append("<section class=\"charts\">\n").append(losses.html());
        for (String source : sources(run)) {
            html.append(new Chart("Validation of " + source, "nats a token", false)
                    .with(dots(source, evaluations, e -> e.sources().getOrDefault(source, Double.NaN)))
                    .html());
        }
        html.append(new Chart("Learning rate", "", true)
                .with(new Chart.Series("learning rate", Chart.Style.LINE, x, values(steps, RunHistory.Step::lr)))
                .html());
        html.append(noisy("Gradient norm", "before clipping", steps, x, RunHistory.Step::gradNorm));
        html.append(noisy("Throughput", "tokens a second", steps, x, RunHistory.Step::tokensPerSecond));
        html.append("</section>\n");
    }

    private static Chart.Series dots(
            String name, Collection<RunHistory.Evaluation> evaluations, ToDoubleFunction<RunHistory.Evaluation> loss) {
        return new Chart.Series(
                name,
                Chart.Style.DOTS,
                evaluations.stream().mapToDouble(RunHistory.Evaluation::step).toArray(),
                evaluations.stream().mapToDouble(loss).toArray());
    }

    /// The sources of a mixture that were evaluated.
    private static Collection<String> sources(RunHistory run) {
        return run.evaluations().values().stream()
                .flatMap(e -> e.sources().keySet().stream())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static String noisy(
            String title, String unit, List<RunHistory.Step> steps, double[] x, ToDoubleFunction<RunHistory.Step> y) {
        double[] values = values(steps, y);
        return new Chart(title, unit, true)
                .with(new Chart.Series("each step", Chart.Style.FAINT, x, values))
                .with(new Chart.Series(title.toLowerCase(Locale.ROOT), Chart.Style.LINE, x, smoothed(steps, values)))
                .html();
    }

    private static double[] values(List<RunHistory.Step> steps, ToDoubleFunction<RunHistory.Step> value) {
        return steps.stream().mapToDouble(value).toArray();
    }

    /// Means over a window around each step, without the steps that were skipped. The window shrinks towards the
    /// first step, where the loss falls fast, so that the curve does not lag behind.
    private static double[] smoothed(List<RunHistory.Step> steps, double[] values) {
        int n = values.length;
        double[] sums = new double[n + 1];
        int[] counts = new int[n + 1];
        for (int i = 0; i < n; i++) {
            boolean counting = Double.isFinite(values[i]) && !steps.get(i).skipped();
            sums[i + 1] = sums[i] + (counting ? values[i] : 0);
            counts[i + 1] = counts[i] + (counting ? 1 : 0);
        }
        double[] smooth = new double[n];
        for (int i = 0; i < n; i++) {
            int reach = Math.min(i, Math.max(1, n / 60));
            int from = i - reach;
            int to = Math.min(n, i + reach + 1);
            smooth[i] = (sums[to] - sums[from]) / (counts[to] - counts[from]);
        }
        return smooth;
    }

    private static void samples(StringBuilder html, Collection<List<RunHistory.Sample>> byStep) {
        if (byStep.isEmpty()) {
            return;
        }
        StringBuilder list = new StringBuilder();
        List<List<RunHistory.Sample>> newestFirst = new ArrayList<>(byStep).reversed();
        for (int i = 0; i < newestFirst.size(); i++) {
            List<RunHistory.Sample> samples = newestFirst.get(i);
            list.append("<details class=\"sample\"%s><summary>Step %s<span class=\"preview\">%s</span></summary>\n"
                    .formatted(
                            i == 0 ? " open=\"\"" : "",
                            count(samples.getFirst().step()),
                            Html.escape(preview(samples.getFirst()))));
            for (RunHistory.Sample sample : samples) {
                list.append("<blockquote><b>%s</b>%s</blockquote>\n"
                        .formatted(Html.escape(sample.prompt()), Html.escape(sample.text())));
            }
            list.append("</details>\n");
        }
        section(html, "Samples", list.toString());
    }

    private static String preview(RunHistory.Sample sample) {
        String text = (sample.prompt() + sample.text()).replaceAll("\\s+", " ");
        return text.substring(0, text.offsetByCodePoints(0, Math.min(150, text.codePointCount(0, text.length()))));
    }

    private static void evaluations(StringBuilder html, RunHistory run) {
        if (run.evaluations().isEmpty()) {
            return;
        }
        StringBuilder rows = new StringBuilder();
        Collection<String> sources = sources(run);
        for (RunHistory.Evaluation e : run.evaluations().values()) {
            rows.append("<tr><td>%s</td><td>%s</td><td>%s</td>%s</tr>\n"
                    .formatted(
                            count(e.step()),
                            decimals(e.loss(), 4),
                            Double.isNaN(e.bitsPerByte()) ? "" : decimals(e.bitsPerByte(), 4),
                            sources.stream()
                                    .map(source -> e.sources().getOrDefault(source, Double.NaN))
                                    .map(loss -> "<td>" + (loss.isNaN() ? "" : decimals(loss, 4)) + "</td>")
                                    .collect(Collectors.joining())));
        }
        String more = sources.stream()
                .map(source -> "<th>" + Html.escape(source) + "</th>")
                .collect(Collectors.joining());
        folded(html, "Evaluations", """
                <table class="numbers"><thead><tr><th>Step</th><th>Validation loss</th><th>Bits per byte</th>%s</tr></thead>
                <tbody>
                %s</tbody></table>
                """.formatted(more, rows));
    }

    private static void events(StringBuilder html, RunHistory run) {
        if (run.events().isEmpty()) {
            return;
        }
        StringBuilder rows = new StringBuilder();
        for (JsonNode event : run.events()) {
            rows.append("<tr><td>%s</td><td>%s</td><td>%s</td></tr>\n"
                    .formatted(
                            Html.escape(event.path("time").asString("")),
                            count(event.path("step").asLong(0)),
                            Html.escape(what(event))));
        }
        folded(html, "Events", """
                <table><thead><tr><th>Time</th><th>Step</th><th>What</th></tr></thead>
                <tbody>
                %s</tbody></table>
                """.formatted(rows));
    }

    private static String what(JsonNode event) {
        String kind = event.path("event").asString("");
        return switch (kind) {
            case "started" -> event.path("step").asLong(0) == 0 ? "started" : "resumed";
            case "spike" ->
                "step skipped: %s; documents %s"
                        .formatted(
                                event.path("reason").asString(""),
                                event.path("documents")
                                        .valueStream()
                                        .map(document -> document.asString(""))
                                        .collect(Collectors.joining(", ")));
            case "checkpoint" ->
                "checkpoint %s, %s"
                        .formatted(
                                event.path("folder").asString(""),
                                bytes(event.path("bytes").asLong(0)));
            case "checkpoint_failed" ->
                "checkpoint failed: " + event.path("reason").asString("");
            case "finished" -> event.path("complete").asBoolean(false) ? "finished" : "stopped on request";
            default -> kind;
        };
    }

    private static void machine(StringBuilder html, List<JsonNode> starts) {
        if (starts.isEmpty()) {
            return;
        }
        JsonNode last = starts.getLast();
        JsonNode machine = last.path("machine");
        JsonNode java = last.path("java");
        JsonNode quern = last.path("quern");
        StringBuilder list = new StringBuilder("<dl>\n");
        row(
                list,
                "Processor",
                "%s, %s cores, vectors of %s bits"
                        .formatted(
                                machine.path("cpu").asString("unknown"),
                                machine.path("cores").asInt(0),
                                machine.path("vector_bits").asInt(0)));
        row(list, "Memory", bytes(machine.path("memory_bytes").asLong(0)));
        row(
                list,
                "System",
                machine.path("os").asString("") + ", "
                        + machine.path("architecture").asString(""));
        row(
                list,
                "Java",
                "%s %s, %s"
                        .formatted(
                                java.path("vm").asString(""),
                                java.path("version").asString(""),
                                java.path("vendor").asString("")));
        row(
                list,
                "Quern",
                new Version(
                                quern.path("version").asString("unknown"),
                                quern.path("commit").asString("unknown"),
                                quern.path("modified").asBoolean(false))
                        .toString());
        row(list, "Config SHA-256", last.path("config_sha256").asString(""));
        row(list, "Data SHA-256", last.path("data_sha256").asString(""));
        row(list, "Tokenizer SHA-256", last.path("tokenizer_sha256").asString(""));
        for (JsonNode start : starts) {
            row(
                    list,
                    start == starts.getFirst() ? "Started" : "Resumed",
                    "%s at step %s"
                            .formatted(
                                    start.path("time").asString(""),
                                    count(start.path("first_step").asLong(0))));
        }
        section(html, "Machine and provenance", list.append("</dl>").toString());
    }

    private static void row(StringBuilder html, String name, String value) {
        html.append("<dt>%s</dt><dd>%s</dd>\n".formatted(name, Html.escape(value)));
    }

    private static void section(StringBuilder html, String title, String content) {
        html.append("<section>\n<h2>%s</h2>\n%s</section>\n".formatted(title, content));
    }

    private static void folded(StringBuilder html, String title, String content) {
        html.append(
                "<section>\n<details><summary><h2>%s</h2></summary>\n<div class=\"wide\">%s</div></details>\n</section>\n"
                        .formatted(title, content));
    }

    /// YAML with its keys and comments marked.
    private static String yaml(String config) {
        return Arrays.stream(config.split("\n"))
                .map(Html::escape)
                .map(line -> line.strip().startsWith("#")
                        ? "<i>" + line + "</i>"
                        : line.replaceFirst("^(\\s*(?:- )?)([\\w.-]+):", "$1<b>$2</b>:"))
                .collect(Collectors.joining("\n"));
    }

    private static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    private static String decimals(double value, int digits) {
        return Double.isNaN(value) ? "not finite" : String.format(Locale.ROOT, "%." + digits + "f", value);
    }

    /// Three significant digits with k, M, B or T.
    static String compact(double value) {
        String[] units = {"", "k", "M", "B", "T"};
        int unit = 0;
        double rest = value;
        while (rest >= 999.5 && unit < units.length - 1) {
            rest /= 1000;
            unit++;
        }
        int digits = rest >= 100 || unit == 0 ? 0 : rest >= 10 ? 1 : 2;
        return String.format(Locale.ROOT, "%." + digits + "f%s", rest, units[unit]);
    }

    private static String bytes(long bytes) {
        return bytes < 1 << 20
                ? String.format(Locale.ROOT, "%.1f KiB", bytes / 0x1p10)
                : bytes < 1 << 30
                        ? String.format(Locale.ROOT, "%.1f MiB", bytes / 0x1p20)
                        : String.format(Locale.ROOT, "%.1f GiB", bytes / 0x1p30);
    }

    static String duration(double seconds) {
        if (Double.isNaN(seconds)) {
            return "unknown";
        }
        long s = Math.round(seconds);
        if (s < 60) {
            return s + "s";
        }
        if (s < 3600) {
            return s / 60 + "m " + s % 60 + "s";
        }
        return s < 86_400 ? s / 3600 + "h " + s % 3600 / 60 + "m" : s / 86_400 + "d " + s % 86_400 / 3600 + "h";
    }

    private static String sha256(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    private static String resource(String name) {
        try (InputStream in = Report.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
