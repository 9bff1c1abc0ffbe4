package org.quern.corpus.extract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

class ExtractionScoreTest {
    @Test
    void countsRunsOfFourWordsAsMultisets() {
        ExtractionScore score = new ExtractionScore();
        // abcd bcde of truth's abcd bcde cdef; found: abcd bcde and one more
        score.add("a b c d e f", "a b, c\nd: e x");
        assertThat(score.recall()).isEqualTo(2.0 / 3, within(1e-12));
        assertThat(score.precision()).isEqualTo(2.0 / 3, within(1e-12));
        // twice what is there once
        score.add("a b c d", "a b c d. a b c d");
        assertThat(score.recall()).isEqualTo((2.0 / 3 + 1) / 2, within(1e-12));
        assertThat(score.precision()).isEqualTo((2.0 / 3 + 1.0 / 5) / 2, within(1e-12));
    }

    @Test
    void takesShortTextsAsOneRun() {
        ExtractionScore score = new ExtractionScore();
        score.add("Schöne neue_Welt", "… Schöne, neue_Welt!");
        assertThat(score.f1()).isEqualTo(1);
        score.add("", "");
        score.add("x", "");
        assertThat(score.precision()).isEqualTo(1);
        assertThat(score.recall()).isEqualTo(0.5);
    }

    /// Pages as NAME.html beside their text as NAME.txt; the floor is below what is reached on Mozilla's test pages.
    @Test
    @EnabledIfSystemProperty(named = "quern.extraction.pages", matches = ".+")
    void reachesItsFloorOnRealPages() throws IOException {
        List<Path> pages;
        try (Stream<Path> files = Files.list(Path.of(System.getProperty("quern.extraction.pages")))) {
            pages = files.filter(file -> file.toString().endsWith(".html"))
                    .sorted()
                    .toList();
        }
        ExtractionScore score = new ExtractionScore();
        TextExtractor extractor = new TextExtractor();
        for (Path page : pages) {
            String truth = Files.readString(Path.of(page.toString().replaceFirst("html$", "txt")));
            score.add(truth, extractor.extract(Files.readAllBytes(page), "").text());
        }
        assertThat(score.f1()).as("F1 of %d pages", pages.size()).isGreaterThan(0.91);
    }
}
