package org.quern.launcher;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jsoup.parser.Parser;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.corpus.extract.ExtractionScore;
import org.quern.corpus.extract.TextExtractor;
import org.quern.launcher.bench.Measurement;
import org.quern.launcher.bench.Spread;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern bench extract`: how well and how fast text is taken from pages.
@Command(
        name = "extract",
        description = {
            "Takes the text of pages and compares it with the text that people took from them.",
            "Prints F1, precision and recall of runs of four words, and pages per second of CPU time (of all threads,",
            "the collector's and the compiler's too): the median of the rounds and their spread, after one that warms up."
        })
final class BenchExtractCommand implements Callable<Integer> {
    @Parameters(paramLabel = "FOLDER", description = "Pages as NAME.html, the text of each beside it as NAME.txt.")
    private Path folder;

    @Option(names = "--rounds", description = "Rounds over all pages; ${DEFAULT-VALUE} by default.")
    private int rounds = 5;

    private record Case(byte[] html, String text) {}

    @Override
    public Integer call() throws IOException {
        if (rounds < 1) {
            throw new QuernException(ExitCode.USAGE, "--rounds must be at least 1: got %d".formatted(rounds));
        }
        List<Case> cases = read();
        TextExtractor extractor = new TextExtractor();
        ExtractionScore score = new ExtractionScore();
        long bytes = 0;
        for (Case page : cases) {
            score.add(page.text(), extractor.extract(page.html(), "").text());
            bytes += page.html().length;
        }
        List<Measurement> parse = new ArrayList<>();
        List<Measurement> extract = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            Terminal.error().status("round %d of %d".formatted(round + 1, rounds));
            parse.add(measure(
                    "parse",
                    cases,
                    html -> Parser.htmlParser().parseInput(new String(html, StandardCharsets.UTF_8), "")));
            extract.add(measure("extract", cases, html -> extractor.extract(html, "")));
        }
        Terminal.error().status("");
        System.out.println(BenchCpuCommand.machine());
        System.out.printf("%d pages, %.1f kB on average%n", cases.size(), bytes / 1e3 / cases.size());
        System.out.printf("F1 %.4f, precision %.4f, recall %.4f%n", score.f1(), score.precision(), score.recall());
        System.out.printf("%-26s %26s pages/s%n", "parsing alone (jsoup)", Spread.of(parse));
        System.out.printf("%-26s %26s pages/s%n", "extraction, with parsing", Spread.of(extract));
        return ExitCode.OK.code();
    }

    private static Measurement measure(String name, List<Case> cases, Consumer<byte[]> work) {
        OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        long start = system.getProcessCpuTime();
        for (Case page : cases) {
            work.accept(page.html());
        }
        return new Measurement(name, 1, cases.size() * 1e9 / (system.getProcessCpuTime() - start), "pages/s");
    }

    private List<Case> read() throws IOException {
        List<Case> cases = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(file -> file.toString().endsWith(".html"))
                    .sorted()
                    .toList()) {
                Path text = Path.of(file.toString().replaceFirst("html$", "txt"));
                cases.add(new Case(Files.readAllBytes(file), Files.readString(text)));
            }
        }
        if (cases.isEmpty()) {
            throw new QuernException(
                    ExitCode.USAGE, "%s has no NAME.html beside NAME.txt: name a folder of pages".formatted(folder));
        }
        return cases;
    }
}
