package org.quern.corpus.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
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
import org.quern.base.QuernException;

/// A run whose tasks others do, badly.
final class CorpusTaskTest {
    @TempDir
    private Path folder;

    private SmallCorpus corpus;

    @BeforeEach
    void write() throws IOException {
        corpus = SmallCorpus.in(folder);
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
        corpus.assertSameAsThreads("run", corpus.build("run", twice));
    }

    @Test
    void goesOnAfterTheTasksThatWereDone() throws IOException {
        List<String> done = new ArrayList<>();
        TaskRunner failing = tasks -> {
            tasks.subList(0, 2).forEach(CorpusTask::run);
            throw new IllegalStateException("lost");
        };
        assertThatThrownBy(() -> corpus.build("run", failing)).hasMessage("lost");
        TaskRunner counting =
                tasks -> tasks.stream().peek(done::add).map(CorpusTask::run).toList();
        corpus.assertSameAsThreads("run", corpus.build("run", counting));
        assertThat(done.stream().filter(task -> task.contains("PAGES"))).hasSize(3);
    }

    @Test
    void saysThatTheFolderIsAnother() {
        TaskRunner elsewhere = tasks -> tasks.stream()
                .map(task -> CorpusTask.run(task.replace("/run\"", "/elsewhere\"")))
                .toList();
        assertThatThrownBy(() -> corpus.build("run", elsewhere))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll("/elsewhere must be one folder", "is not there");
    }
}
