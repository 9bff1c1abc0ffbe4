package org.quern.train.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.train.TrainEvent;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

class ReportTest {
    private static final String HOSTILE =
            " <script>alert(1)</script></blockquote><img src=x onerror=alert(2)> &lt; \"'\\n\n"
                    + "\u0000\u001b[31m\u007f\u0085\u202e\ud800 \uffff]]> ${} %s \ud83d\ude00";

    @TempDir
    Path run;

    @Test
    void showsHostileTextToTheLetter() throws Exception {
        Files.writeString(run.resolve("config.yaml"), "run:\n  name: \"a</title><b>&\" # </pre><i>\n");
        write(20, HOSTILE);
        Document page = parse();
        assertThat(texts(page, "title")).startsWith("a</title><b>&");
        assertThat(texts(page, "blockquote"))
                .containsExactly("Prompt"
                        + HOSTILE.replace('\u0000', '\u2400')
                                .replace('\u001b', '\u241b')
                                .replace('\u007f', '\u2421')
                                .replace('\u0085', '\ufffd')
                                // A lone surrogate is a question mark in samples.jsonl already.
                                .replace('\ud800', '?')
                                .replace('\uffff', '\ufffd')
                                .replace("?\ude00", "\ud83d\ude00"));
        assertThat(page.getElementsByTagName("img").getLength()).isZero();
        assertThat(texts(page, "pre")).containsExactly("run:\n  name: \"a</title><b>&\" # </pre><i>");
    }

    @Test
    void needsNothingFromElsewhere() throws IOException {
        write(20, "");
        assertThat(Files.readString(run.resolve("report.html")))
                .doesNotContain("http:", "https:", "//cdn", "@import", "url(", "src=", "href=");
    }

    @Test
    void saysWhatCameOut() throws Exception {
        write(100, " text");
        Document page = parse();
        assertThat(texts(page, "h1")).containsExactly(run.getFileName() + " complete, 100 steps");
        assertThat(texts(page, "b")).contains("2.1000", "1.0500", "4.10M", "1m 40s", "8.00k");
        assertThat(texts(page, "h2")).containsExactly("Samples", "Evaluations", "Events", "Machine and provenance");
        assertThat(texts(page, "h3")).containsExactly("Loss", "Learning rate", "Gradient norm", "Throughput");
    }

    @Test
    void drawsTheLossWhereItBelongs() throws Exception {
        write(100, "");
        String html = Files.readString(run.resolve("report.html"));
        Matcher dots = Pattern.compile("class=\"dots\" d=\"M(\\S+) (\\S+)h0M(\\S+) (\\S+)h0\"")
                .matcher(html);
        assertThat(dots.find()).isTrue();
        assertThat(dots.group(1)).isEqualTo("500");
        assertThat(dots.group(3)).isEqualTo("1000");
        assertThat(Double.parseDouble(dots.group(4)))
                .as("a smaller loss is further down")
                .isGreaterThan(Double.parseDouble(dots.group(2)));
    }

    @Test
    void isTheSameInEveryLanguage() throws IOException {
        Locale usual = Locale.getDefault();
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
            write(3000, "");
        } finally {
            Locale.setDefault(usual);
        }
        assertThat(Files.readString(run.resolve("report.html")))
                .contains("complete, 3,000 steps")
                .doesNotContainPattern("[\u0660-\u0669]");
    }

    @Test
    void staysSmallInALongRun() throws IOException {
        write(50_000, "");
        assertThat(Files.size(run.resolve("report.html"))).isLessThan(200_000);
    }

    @Test
    void showsARunWithoutAnything() throws Exception {
        Report.write(run);
        assertThat(texts(parse(), "h1")).containsExactly(run.getFileName() + " at step 0");
    }

    @Test
    void showsARunOfOneStepThatIsNotFinite() throws Exception {
        try (MetricsFile file = new MetricsFile()) {
            file.on(new TrainEvent.Started(run, 0, 10, 1, ""));
            file.on(new TrainEvent.Step(1, Double.NaN, 0, Double.NaN, 1, 1, 0.1, false));
        }
        Files.writeString(run.resolve("config.yaml"), "train: {steps: 10");
        assertThatCode(() -> Report.write(run)).doesNotThrowAnyException();
        assertThat(Files.readString(run.resolve("report.html")))
                .contains("not finite")
                .doesNotContain("NaN");
    }

    @Test
    void isWrittenAtCheckpointsAndHoweverTheRunEnds() throws IOException {
        Path page = run.resolve("report.html");
        try (Report report = new Report()) {
            report.on(new TrainEvent.Started(run, 0, 10, 1, ""));
            report.on(new TrainEvent.Step(1, 1, 1, 1, 1, 1, 1, false));
            assertThat(page).doesNotExist();
            report.on(new TrainEvent.CheckpointSaved(1, run, 1, 1, 1));
            assertThat(page).exists();
            Files.delete(page);
        }
        assertThat(page).exists();
    }

    @Test
    void leavesOutBitsPerByteThatNobodyKnows() throws Exception {
        try (MetricsFile file = new MetricsFile()) {
            file.on(new TrainEvent.Started(run, 0, 10, 1, ""));
            file.on(new TrainEvent.Evaluation(1, 2.5, Double.NaN, 1, List.of()));
        }
        Report.write(run);
        assertThat(texts(parse(), "b")).containsExactly("2.5000");
        assertThat(texts(parse(), "td")).startsWith("1", "2.5000", "");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 600, 6, 0 100 200 300 400 500 600",
        "0, 19073, 6, 0 5k 10k 15k",
        "0, 4000, 5, 0 1k 2k 3k 4k",
        "0, 1250, 5, 0 250 500 750 1000 1250",
        "0, 0.0006, 5, 0 2e-4 4e-4 6e-4",
        "0, 0.001, 5, 0 2e-4 4e-4 6e-4 8e-4 1e-3",
        "2.93, 3.41, 5, 3.0 3.1 3.2 3.3 3.4",
        "-1, 1, 4, -1.0 -0.5 0 0.5 1.0",
        "0, 1, 6, 0 0.2 0.4 0.6 0.8 1.0",
        "0, 12000000, 5, 0 2.5M 5.0M 7.5M 10.0M",
        "3.00001, 3.00002, 2, 3.000010 3.000015 3.000020"
    })
    void labelsRoundTicks(double low, double high, int about, String labels) {
        double[] ticks = Chart.ticks(low, high, about);
        assertThat(IntStream.range(0, ticks.length)
                        .mapToObj(i -> Chart.label(ticks[i], ticks))
                        .toList())
                .isEqualTo(List.of(labels.split(" ")));
    }

    private void write(int steps, String sample) throws IOException {
        Provenance.now(0, "", "d", "t").appendTo(run);
        try (MetricsFile file = new MetricsFile()) {
            file.on(new TrainEvent.Started(run, 0, steps, 40_960, ""));
            for (int step = 1; step <= steps; step++) {
                file.on(new TrainEvent.Step(step, 2 + 8.0 / step, 1e-3, 1, step * 40_960L, 8000, step, step == 7));
                if (step * 2 % steps == 0) {
                    file.on(new TrainEvent.Evaluation(step, 2 + 10.0 / step, 1 + 5.0 / step, 1, List.of()));
                }
            }
            file.on(new TrainEvent.Sample(steps, "Prompt", sample));
            file.on(new TrainEvent.Finished(steps, true, steps));
        }
        Report.write(run);
    }

    /// The page, which is XML too but for its style and scripts.
    private Document parse() throws Exception {
        String html = Files.readString(run.resolve("report.html"))
                .replaceAll("(?s)<style>.*?</style>|<script.*?</script>", "");
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(html.getBytes(StandardCharsets.UTF_8)));
    }

    private static List<String> texts(Document page, String tag) {
        NodeList nodes = page.getElementsByTagName(tag);
        return IntStream.range(0, nodes.getLength())
                .mapToObj(i -> nodes.item(i).getTextContent())
                .toList();
    }
}
