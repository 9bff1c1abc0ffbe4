package org.quern.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.run.CorpusReport;
import org.quern.corpus.run.CorpusRun;

/// The pipeline on Spark in this process, beside that on threads.
@Tag("spark")
final class SparkTasksTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void write() throws IOException {
        Path input = Files.createDirectories(folder.resolve("in"));
        Random random = new Random(1);
        for (int file = 0; file < 4; file++) {
            StringBuilder lines = new StringBuilder();
            for (int page = 0; page < 50; page++) {
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
                shard_pages: 50
                """);
        return ConfigReader.read(file, CorpusConfig.class, List.of());
    }

    private static SparkTasks spark() {
        return new SparkTasks(new SparkConf()
                .setMaster("local[2]")
                .set("spark.ui.enabled", "false")
                .set("spark.driver.host", "127.0.0.1")
                .set("spark.driver.bindAddress", "127.0.0.1"));
    }

    @Test
    void writesTheSameBytesAsThreads() throws IOException {
        CorpusReport report = new CorpusRun(config(), folder.resolve("threads"), (_, _, _, _) -> {}).build();
        try (SparkTasks tasks = spark()) {
            assertThat(new CorpusRun(config(), folder.resolve("spark"), (_, _, _, _) -> {}, tasks).build())
                    .isEqualTo(report);
        }
        List<String> files = new ArrayList<>(List.of("report.json", "samples.jsonl", "config.yaml"));
        report.shards().forEach(shard -> files.add("text/" + shard));
        assertThat(files).hasSizeGreaterThan(5);
        for (String file : files) {
            assertThat(folder.resolve("spark").resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("threads").resolve(file));
        }
    }

    @Test
    void tellsWhatATaskSays() {
        try (SparkTasks tasks = spark()) {
            String task = """
                    {"job": {"run": "/nowhere", "config": "x", "id": "1"}, "step": "PAGES", "item": {}}""";
            assertThatThrownBy(() -> tasks.run(List.of(task)))
                    .isInstanceOf(QuernException.class)
                    .hasMessageContaining("/nowhere must be one folder");
        }
    }
}
