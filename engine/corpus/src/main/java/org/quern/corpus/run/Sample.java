package org.quern.corpus.run;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.quern.corpus.Page;
import org.quern.corpus.extract.PageCharset;
import org.quern.data.Sha256;

/// A page kept to be looked at: as it was when a stage dropped it, or at the end.
///
/// @param chance pages with the smallest are kept: a function of the page's id
/// @param stage that dropped it; empty if none did
/// @param reason of that, or `kept`
/// @param date when it was fetched; empty if unknown
/// @param language empty if none was identified
/// @param html at most [#MAX_HTML_BYTES] of it: all, or what follows `<body`
/// @param htmlFrom the byte that this begins at
/// @param htmlBytes of the whole page; 0 if the archive holds text
/// @param text its first [#MAX_TEXT] characters
/// @param textCharacters of the whole text
public record Sample(
        String chance,
        String stage,
        String reason,
        double value,
        String evidence,
        String id,
        String url,
        String date,
        String language,
        String html,
        int htmlFrom,
        int htmlBytes,
        String text,
        int textCharacters) {
    static final int MAX_HTML_BYTES = 20_000;
    static final int MAX_TEXT = 10_000;

    /// A page that may become a sample: most do not, and cost next to nothing.
    ///
    /// @param html of the page before the first stage
    record Candidate(
            String chance, Page page, byte[] html, String stage, String reason, double value, String evidence) {
        Candidate(Page page, byte[] html, String stage, String reason, double value, String evidence) {
            this(chanceOf(page.id()), page, html, stage, reason, value, evidence);
        }

        Sample sample() {
            int from = html.length > MAX_HTML_BYTES ? body(html) : 0;
            return new Sample(
                    chance,
                    stage,
                    reason,
                    value,
                    evidence,
                    page.id(),
                    page.url(),
                    page.date(),
                    page.language(),
                    new String(
                            html,
                            from,
                            Math.min(html.length - from, MAX_HTML_BYTES),
                            PageCharset.of(html, page.contentType())),
                    from,
                    html.length,
                    firstOf(page.text()),
                    page.text().length());
        }
    }

    static String chanceOf(String id) {
        return HexFormat.of().formatHex(Sha256.of(id.getBytes(StandardCharsets.UTF_8)), 0, 8);
    }

    static String firstOf(String text) {
        return text.substring(0, Math.min(text.length(), MAX_TEXT));
    }

    /// Where the page begins behind its head, or 0.
    private static int body(byte[] html) {
        for (int i = 0; i + 5 <= html.length; i++) {
            if (html[i] == '<'
                    && (html[i + 1] | 0x20) == 'b'
                    && (html[i + 2] | 0x20) == 'o'
                    && (html[i + 3] | 0x20) == 'd'
                    && (html[i + 4] | 0x20) == 'y') {
                return i;
            }
        }
        return 0;
    }

    /// Of each stage and reason, the `count` samples of the smallest chance, in the order of their stages and
    /// reasons.
    static List<Sample> smallest(List<Sample> samples, int count) {
        return smallest(
                samples,
                sample -> sample.stage + "." + sample.reason,
                Comparator.comparing(Sample::chance).thenComparing(Sample::id),
                count);
    }

    /// Likewise.
    static List<Sample> ofSmallest(List<Candidate> candidates, int count) {
        return smallest(
                        candidates,
                        candidate -> candidate.stage + "." + candidate.reason,
                        Comparator.comparing(Candidate::chance)
                                .thenComparing(candidate -> candidate.page().id()),
                        count)
                .stream()
                .map(Candidate::sample)
                .toList();
    }

    private static <T> List<T> smallest(List<T> all, Function<T, String> group, Comparator<T> order, int count) {
        Map<String, List<T>> groups = new TreeMap<>();
        all.forEach(each -> groups.computeIfAbsent(group.apply(each), _ -> new ArrayList<>())
                .add(each));
        return groups.values().stream()
                .flatMap(of -> of.stream().sorted(order).limit(count))
                .toList();
    }
}
