package org.quern.corpus.run;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.corpus.Page;
import org.quern.data.Sha256;

/// A page kept to be looked at: as it was when a stage dropped it, or at the end.
///
/// @param chance pages with the smallest are kept: a function of the page's id
/// @param stage that dropped it; empty if none did
/// @param html its first [#MAX_HTML_BYTES], read as UTF-8
/// @param text its first [#MAX_TEXT] characters
public record Sample(
        String chance,
        String stage,
        String reason,
        double value,
        String evidence,
        String id,
        String url,
        String language,
        String html,
        String text) {
    private static final int MAX_HTML_BYTES = 20_000;
    private static final int MAX_TEXT = 10_000;

    static Sample of(Page page, byte[] html, String stage, String reason, double value, String evidence) {
        return new Sample(
                chanceOf(page.id()),
                stage,
                reason,
                value,
                evidence,
                page.id(),
                page.url(),
                page.language(),
                new String(html, 0, Math.min(html.length, MAX_HTML_BYTES), StandardCharsets.UTF_8),
                page.text().substring(0, Math.min(page.text().length(), MAX_TEXT)));
    }

    private static String chanceOf(String id) {
        return HexFormat.of().formatHex(Sha256.of(id.getBytes(StandardCharsets.UTF_8)), 0, 8);
    }

    /// Of each stage and reason, the `count` samples of the smallest chance, in the order of their stages and
    /// reasons.
    static List<Sample> smallest(List<Sample> samples, int count) {
        Map<String, List<Sample>> byReason = new LinkedHashMap<>();
        samples.forEach(sample -> byReason.computeIfAbsent(sample.stage + "." + sample.reason, _ -> new ArrayList<>())
                .add(sample));
        return byReason.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .flatMap(entry -> entry.getValue().stream()
                        .sorted(Comparator.comparing(Sample::chance).thenComparing(Sample::id))
                        .limit(count))
                .toList();
    }
}
