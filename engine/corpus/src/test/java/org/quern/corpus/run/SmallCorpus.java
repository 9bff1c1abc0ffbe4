package org.quern.corpus.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.quern.base.Json;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;

/// A corpus of five files of random words in which every seventh page is one of a few, and its runs.
///
/// @param folder has the inputs, and runs by their names
public record SmallCorpus(Path folder) {
    private static final int FILES = 5;
    private static final int PAGES = 40;

    /// Writes the inputs.
    public static SmallCorpus in(Path folder) throws IOException {
        Path input = Files.createDirectories(folder.resolve("in"));
        Random random = new Random(1);
        for (int file = 0; file < FILES; file++) {
            StringBuilder lines = new StringBuilder();
            for (int page = 0; page < PAGES; page++) {
                StringBuilder text = new StringBuilder();
                Random words = page % 7 == 3 ? new Random(page) : random;
                for (int word = 0; word < 90; word++) {
                    text.append(Integer.toString(words.nextInt(46656), 36)).append(word % 12 == 11 ? ".\n" : " ");
                }
                lines.append(Json.MAPPER.writeValueAsString(Map.of("text", text.toString())))
                        .append('\n');
            }
            Files.writeString(input.resolve("part-" + file + ".jsonl"), lines);
        }
        return new SmallCorpus(folder);
    }

    // Without the filters of prose.
    private CorpusConfig config() throws IOException {
        Path file = Files.writeString(folder.resolve("corpus.yaml"), """
                inputs: [in]
                gopher_repetition: off
                gopher_quality: off
                c4_quality: off
                fineweb_quality: off
                duplicates: {across_inputs: true}
                shard_pages: 30
                """);
        return ConfigReader.read(file, CorpusConfig.class, List.of());
    }

    /// The run of threads.
    public CorpusReport build(String run) throws IOException {
        return new CorpusRun(config(), folder.resolve(run), (_, _, _, _) -> {}).build();
    }

    /// The run whose tasks a runner does.
    public CorpusReport build(String run, TaskRunner runner) throws IOException {
        return new CorpusRun(config(), folder.resolve(run), (_, _, _, _) -> {}, runner).build();
    }

    /// Compares a run with the one of threads.
    public void assertSameAsThreads(String run, CorpusReport report) throws IOException {
        assertThat(build("threads")).isEqualTo(report);
        List<String> files = new ArrayList<>(List.of("report.json", "samples.jsonl", "config.yaml"));
        report.shards().forEach(shard -> files.add("text/" + shard));
        assertThat(report.shards()).hasSizeGreaterThan(3);
        for (String file : files) {
            assertThat(folder.resolve(run).resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("threads").resolve(file));
        }
    }
}
