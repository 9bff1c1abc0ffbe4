package org.quern.spark;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import org.quern.corpus.run.SmallCorpus;

/// The pipeline on Spark in this process, beside that on threads.
@Tag("spark")
final class SparkTasksTest {
    @TempDir
    private Path folder;

    private static SparkTasks spark() {
        return new SparkTasks(new SparkConf()
                .setMaster("local[2]")
                .set("spark.ui.enabled", "false")
                .set("spark.driver.host", "127.0.0.1")
                .set("spark.driver.bindAddress", "127.0.0.1"));
    }

    @Test
    void writesTheSameBytesAsThreads() throws IOException {
        SmallCorpus corpus = SmallCorpus.in(folder);
        try (SparkTasks tasks = spark()) {
            corpus.assertSameAsThreads("spark", corpus.build("spark", tasks));
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
