package org.quern.corpus.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.Page;
import org.quern.corpus.archive.ArchiveFile;
import org.quern.corpus.archive.PageReader;
import org.quern.data.TokenizedCorpus;
import org.quern.tokenizer.Tokenizer;

final class CorpusRunTest {
    private static final int PAGES = 300;

    @TempDir
    private Path folder;

    private Path input;

    /// Three files of pages: some empty, some that a filter drops, some that come again in the same file or another.
    @BeforeEach
    void write() throws IOException {
        input = Files.createDirectories(folder.resolve("in"));
        Random random = new Random(1);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < PAGES; i++) {
            StringBuilder text = new StringBuilder();
            for (int word = 0; word < 120; word++) {
                text.append(Integer.toString(random.nextInt(46656), 36)).append(word % 12 == 11 ? ".\n" : " ");
            }
            texts.add(i % 10 == 0 ? " " : i % 7 == 0 && i > 7 ? texts.get(random.nextInt(i)) : text.toString());
        }
        for (int file = 0; file < 3; file++) {
            Path path = input.resolve("part-" + file + ".jsonl.gz");
            try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(path))) {
                for (int i = file; i < PAGES; i += 3) {
                    String url = "https://site-%d.example/%d".formatted(i % 5, i);
                    out.write(Json.MAPPER.writeValueAsBytes(Map.of("text", texts.get(i), "url", url)));
                    out.write('\n');
                }
            }
        }
    }

    private CorpusConfig config(String... overrides) throws IOException {
        Path file = Files.writeString(folder.resolve("corpus.yaml"), """
                inputs: [in]
                gopher_repetition: off
                gopher_quality: off
                c4_quality: off
                fineweb_quality: off
                shard_pages: 70
                """);
        return ConfigReader.read(file, CorpusConfig.class, List.of(overrides));
    }

    private CorpusReport build(String run, String... overrides) throws IOException {
        return new CorpusRun(config(overrides), folder.resolve(run), (_, _, _, _) -> {}).build();
    }

    /// What a run puts out, by name.
    private Map<String, String> output(String run) throws IOException {
        Map<String, String> output = new HashMap<>();
        try (Stream<Path> tree = Files.walk(folder.resolve(run))) {
            for (Path file : tree.filter(Files::isRegularFile).toList()) {
                String name = folder.resolve(run).relativize(file).toString();
                if (!name.startsWith("work") && !name.equals("config.yaml")) {
                    output.put(name, new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1));
                }
            }
        }
        return output;
    }

    private List<Page> pages(String run, CorpusReport report) throws IOException {
        List<Page> pages = new ArrayList<>();
        for (String shard : report.shards()) {
            ArchiveFile file = new ArchiveFile.Local(
                    shard, folder.resolve(run).resolve("text").resolve(shard));
            try (PageReader reader = PageReader.open(file, 1 << 20)) {
                for (Optional<Page> page = reader.next(); page.isPresent(); page = reader.next()) {
                    pages.add(page.get());
                }
            }
        }
        return pages;
    }

    @Test
    void keepsEachTextOnce() throws IOException {
        CorpusReport report = build("run");
        List<Page> pages = pages("run", report);
        Set<String> kept = new HashSet<>();
        assertThat(pages).allMatch(page -> kept.add(page.text()));
        Set<String> all = new HashSet<>();
        for (int file = 0; file < 3; file++) {
            Path path = input.resolve("part-" + file + ".jsonl.gz");
            try (PageReader reader = PageReader.open(new ArchiveFile.Local(path.toString(), path), 1 << 20)) {
                for (Optional<Page> page = reader.next(); page.isPresent(); page = reader.next()) {
                    all.add(page.get().text());
                }
            }
        }
        all.removeIf(String::isBlank);
        assertThat(kept).isEqualTo(all);
        assertThat(report.output().pages()).isEqualTo(kept.size());
        assertThat(report.shards()).hasSize((kept.size() + 69) / 70);
    }

    @Test
    void countsEachPageOfEachStage() throws IOException {
        CorpusReport report = build("run");
        long pages = PAGES;
        for (CorpusReport.StageResult stage : report.stages()) {
            long dropped =
                    stage.dropped().values().stream().mapToLong(Long::longValue).sum();
            assertThat(stage.pagesIn()).as(stage.name()).isEqualTo(pages);
            assertThat(stage.pagesOut()).isEqualTo(pages - dropped);
            pages = stage.pagesOut();
        }
        assertThat(report.output().pages()).isEqualTo(pages);
        assertThat(report.dropped().pages()).isEqualTo(PAGES - pages);
        List<Domains.Domain> domains = report.domains().largest();
        assertThat(domains).hasSize(5);
        assertThat(domains.stream().mapToLong(Domains.Domain::pages).sum()).isEqualTo(PAGES);
        assertThat(domains.stream().mapToLong(Domains.Domain::kept).sum()).isEqualTo(pages);
        assertThat(domains)
                .allMatch(domain -> domain.pages() - domain.kept()
                        == domain.dropped().values().stream()
                                .mapToLong(Long::longValue)
                                .sum());
    }

    @Test
    void writesTheSameBytesWhateverTheThreads() throws IOException {
        build("one", "threads=1");
        build("eight", "threads=8");
        assertThat(output("eight")).isEqualTo(output("one"));
    }

    @Test
    void goesOnAfterAFailureAndWritesTheSameBytes() throws IOException {
        build("whole");
        AtomicLong updates = new AtomicLong();
        CorpusProgress failing = (what, _, _, _) -> {
            if (what.equals("reading") && updates.incrementAndGet() == 2) {
                throw new IllegalStateException("killed");
            }
        };
        CorpusConfig config = config("threads=1");
        assertThatThrownBy(() -> new CorpusRun(config, folder.resolve("run"), failing).build())
                .hasMessage("killed");
        Path leftover = folder.resolve("run").resolve("work").resolve("x.pages.123" + CommittedFile.TEMPORARY_SUFFIX);
        Files.writeString(leftover, "half");
        RunFolder run = new RunFolder(folder.resolve("run"));
        Path first = run.pages("part-0.jsonl.gz");
        FileTime made = Files.getLastModifiedTime(first);
        build("run", "threads=1");
        assertThat(output("run")).isEqualTo(output("whole"));
        assertThat(Files.getLastModifiedTime(first)).isEqualTo(made);
        assertThat(leftover).doesNotExist();
    }

    @Test
    void canBeLookedAtWhileItGoesOn() throws IOException {
        CorpusReport whole = build("whole");
        AtomicLong updates = new AtomicLong();
        CorpusProgress failing = (what, _, _, _) -> {
            if (what.equals("reading") && updates.incrementAndGet() == 2) {
                throw new IllegalStateException("killed");
            }
        };
        CorpusConfig config = config("threads=1");
        assertThatThrownBy(() -> new CorpusRun(config, folder.resolve("run"), failing).build())
                .hasMessage("killed");
        InspectedRun run = InspectedRun.read(folder.resolve("run"));
        assertThat(run.isFinished()).isFalse();
        assertThat(run.done()).isEqualTo(1);
        assertThat(run.partitions()).isEqualTo(3);
        assertThat(run.report().stages().getFirst().pagesIn()).isEqualTo(PAGES / 3);
        assertThat(run.samples()).anyMatch(head -> head.reason().equals("no_text"));
        assertThat(run.sample(0).text())
                .startsWith(run.samples().getFirst().beginning().substring(0, 9));
        assertThat(run.isCurrent()).isTrue();
        build("run");
        assertThat(run.isCurrent()).isFalse();
        InspectedRun finished = InspectedRun.read(folder.resolve("run"));
        assertThat(finished.isFinished()).isTrue();
        assertThat(finished.report()).isEqualTo(whole);
    }

    @Test
    void saysWhatIsNoRun() throws IOException {
        assertThatThrownBy(() -> InspectedRun.read(folder.resolve("none"))).hasMessageContaining("found nothing");
        assertThatThrownBy(() -> InspectedRun.read(folder)).hasMessageContaining("neither report.json");
        Files.writeString(folder.resolve("metrics.jsonl"), "");
        assertThatThrownBy(() -> InspectedRun.read(folder)).hasMessageContaining("quern dashboard");
        Files.writeString(folder.resolve("report.json"), "{\"version\": 1}");
        assertThatThrownBy(() -> InspectedRun.read(folder)).hasMessageContaining("expected version 2, found 1");
    }

    @Test
    void makesOnlyPartitionsAgainThatHaveChanged() throws IOException {
        build("run");
        RunFolder run = new RunFolder(folder.resolve("run"));
        FileTime longAgo = FileTime.fromMillis(1_000_000);
        for (int i = 0; i < 3; i++) {
            Files.setLastModifiedTime(run.pages("part-" + i + ".jsonl.gz"), longAgo);
        }
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(input.resolve("part-1.jsonl.gz")))) {
            out.write("{\"text\": \"Another text of some words.\"}\n".getBytes(StandardCharsets.UTF_8));
        }
        Files.delete(input.resolve("part-2.jsonl.gz"));
        build("run");
        assertThat(Files.getLastModifiedTime(run.pages("part-0.jsonl.gz"))).isEqualTo(longAgo);
        assertThat(Files.getLastModifiedTime(run.pages("part-1.jsonl.gz"))).isNotEqualTo(longAgo);
        build("fresh");
        assertThat(output("run")).isEqualTo(output("fresh"));
    }

    @Test
    void makesAllAgainWhenAStageHasChanged() throws IOException {
        build("run");
        build("run", "gopher_quality.min_words=121");
        build("fresh", "gopher_quality.min_words=121");
        assertThat(output("run")).isEqualTo(output("fresh"));
    }

    @Test
    void keepsSamplesOfEachReason() throws IOException {
        build("run", "samples=2");
        List<String> reasons = Files.readAllLines(folder.resolve("run/samples.jsonl")).stream()
                .map(line -> Json.MAPPER.readValue(line, Sample.class))
                .map(sample -> sample.stage() + "." + sample.reason())
                .toList();
        assertThat(reasons).containsExactly(".kept", ".kept", "output.no_text", "output.no_text");
    }

    @Test
    void keepsClustersOfDuplicates() throws IOException {
        CorpusReport report = build("run");
        SampledClusters.Count exact = report.duplicates().getFirst();
        assertThat(exact.stage()).isEqualTo("exact_duplicates");
        InspectedRun run = InspectedRun.read(folder.resolve("run"));
        List<DuplicateCluster> clusters = run.clusters().stream()
                .map(head -> run.cluster(head.number()))
                .filter(cluster -> cluster.stage().equals("exact_duplicates"))
                .toList();
        assertThat(clusters).hasSizeBetween(20, (int) exact.clusters()).allSatisfy(cluster -> {
            assertThat(cluster.pages()).isGreaterThan(1);
            assertThat(cluster.members())
                    .hasSize((int) Math.min(cluster.pages(), 8))
                    .extracting(DuplicateCluster.Member::text)
                    .containsOnly(cluster.members().getFirst().text());
            assertThat(cluster.members())
                    .extracting(DuplicateCluster.Member::dropped)
                    .containsOnlyOnce(false)
                    .startsWith(false);
        });
        long dropped = report.stages().stream()
                .filter(stage -> stage.name().equals("exact_duplicates"))
                .mapToLong(stage -> stage.pagesIn() - stage.pagesOut())
                .sum();
        assertThat(exact.pages() - exact.clusters()).isEqualTo(dropped);
    }

    @Test
    void makesTokensThatTrainingReads() throws IOException {
        CorpusReport report = build("run", "tokens={tokenizer: {train: {vocab_size: 300}}, validation_fraction: 0.1}");
        Path tokens = folder.resolve("run/tokens");
        TokenizedCorpus corpus = TokenizedCorpus.open(tokens, Tokenizer.read(tokens.resolve("tokenizer.json")));
        assertThat(report.tokens())
                .contains(new CorpusReport.Tokens(
                        300,
                        corpus.train().tokens(),
                        corpus.validation().orElseThrow().tokens()));
        assertThat(corpus.train().documents().orElseThrow()
                        + corpus.validation().orElseThrow().documents().orElseThrow())
                .isEqualTo(report.output().pages());
    }

    @Test
    void saysWhatIsWrongWithAConfigBeforeItStarts() {
        assertThatThrownBy(() -> config("gopher_quality.min_words=many", "inputz=[x]", "samples=-1"))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll(
                        "min_words must be a number, or off", "inputz is not a key", "samples must be");
        assertThatThrownBy(() -> build("run", "inputs=[nowhere]"))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("no such file");
    }
}
