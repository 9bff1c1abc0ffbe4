package org.quern.corpus.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;

/// A run whose tasks others do, badly.
final class CorpusTaskTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void write() throws IOException {
        Path input = Files.createDirectories(folder.resolve("in"));
        Random random = new Random(1);
        for (int file = 0; file < 5; file++) {
            StringBuilder lines = new StringBuilder();
            for (int page = 0; page < 40; page++) {
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
    }

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

    private CorpusReport build(String run, TaskRunner runner) throws IOException {
        return new CorpusRun(config(), folder.resolve(run), (_, _, _, _) -> {}, runner).build();
    }

    private void assertSameAsThreads(String run, CorpusReport report) throws IOException {
        assertThat(new CorpusRun(config(), folder.resolve("threads"), (_, _, _, _) -> {}).build())
                .isEqualTo(report);
        List<String> files = new ArrayList<>(List.of("report.json", "samples.jsonl", "config.yaml"));
        report.shards().forEach(shard -> files.add("text/" + shard));
        assertThat(report.shards()).hasSizeGreaterThan(3);
        for (String file : files) {
            assertThat(folder.resolve(run).resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("threads").resolve(file));
        }
    }

    @Test
    void doesNoHarmWhenTasksAreDoneTwiceAtOnceAndInAnyOrder() throws IOException {
        TaskRunner twice = tasks -> {
            List<String> order = new ArrayList<>(tasks);
            order.addAll(tasks);
            Collections.shuffle(order, new Random(2));
            Map<String, String> results = new ConcurrentHashMap<>();
            order.parallelStream().forEach(task -> results.put(task, CorpusTask.run(task)));
            return tasks.stream().map(results::get).toList();
        };
        assertSameAsThreads("run", build("run", twice));
    }

    @Test
    void goesOnAfterTheTasksThatWereDone() throws IOException {
        List<String> done = new ArrayList<>();
        TaskRunner failing = tasks -> {
            tasks.subList(0, 2).forEach(CorpusTask::run);
            throw new IllegalStateException("lost");
        };
        assertThatThrownBy(() -> build("run", failing)).hasMessage("lost");
        TaskRunner counting =
                tasks -> tasks.stream().peek(done::add).map(CorpusTask::run).toList();
        assertSameAsThreads("run", build("run", counting));
        assertThat(done.stream().filter(task -> task.contains("PAGES"))).hasSize(3);
    }

    @Test
    void saysThatTheFolderIsAnother() {
        TaskRunner elsewhere = tasks -> tasks.stream()
                .map(task -> CorpusTask.run(task.replace("/run\"", "/elsewhere\"")))
                .toList();
        assertThatThrownBy(() -> build("run", elsewhere))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll("/elsewhere must be one folder", "is not there");
    }
}
