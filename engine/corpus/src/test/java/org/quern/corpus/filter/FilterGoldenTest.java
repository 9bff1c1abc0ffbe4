package org.quern.corpus.filter;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.quern.base.Json;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;
import tools.jackson.databind.JsonNode;

/// 600 texts, and which rule of datatrove drops each (src/test/python/golden_filters.py).
class FilterGoldenTest {
    private static final C4Quality.Settings C4_AS_PUBLISHED = new C4Quality.Settings(
            true, true, Optional.of(3), Optional.of(1000), true, true, true, true, Optional.of(5.0));

    private static List<JsonNode> goldens;

    @BeforeAll
    static void read() throws IOException {
        Path file = Path.of("src/test/resources/golden/filters.jsonl.gz");
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(new GZIPInputStream(Files.newInputStream(file)), StandardCharsets.UTF_8))) {
            goldens = lines.lines().map(Json.MAPPER::readTree).toList();
        }
    }

    private static Page page(String text) {
        return Page.ofText(new Page.Origin("golden", 0, 0, "", ""), "", "", text);
    }

    private static void agrees(Stage stage, String key) {
        SoftAssertions softly = new SoftAssertions();
        for (JsonNode golden : goldens) {
            String text = golden.get("text").asString();
            Verdict verdict = stage.apply(page(text));
            String reason = verdict instanceof Verdict.Dropped dropped ? dropped.reason() : "";
            softly.assertThat(reason)
                    .as(text + "\n" + verdict)
                    .isEqualTo(golden.get(key).asString());
            if (verdict instanceof Verdict.Kept(Page kept) && golden.has(key + "_text")) {
                softly.assertThat(kept.text())
                        .isEqualTo(golden.get(key + "_text").asString());
            }
        }
        softly.assertAll();
    }

    @Test
    void repetitionDropsWhatDatatroveDrops() {
        agrees(new GopherRepetition(GopherRepetition.Settings.DEFAULT), "gopher_repetition");
    }

    @Test
    void qualityDropsWhatDatatroveDrops() {
        agrees(new GopherQuality(GopherQuality.Settings.DEFAULT), "gopher_quality");
    }

    @Test
    void c4DropsAndRemovesWhatDatatroveDoes() {
        agrees(new C4Quality(C4Quality.Settings.DEFAULT), "c4_quality");
        agrees(new C4Quality(C4_AS_PUBLISHED), "c4_paper");
    }

    @Test
    void fineWebDropsWhatDatatroveDrops() {
        agrees(new FineWebQuality(FineWebQuality.Settings.DEFAULT), "fineweb_quality");
    }

    @Test
    void countsWordsAsSpacyDoes() {
        for (JsonNode golden : goldens) {
            String text = golden.get("text").asString();
            assertThat(Words.of(text).spans().count())
                    .as(text)
                    .isEqualTo(golden.get("words").asInt());
        }
    }
}
