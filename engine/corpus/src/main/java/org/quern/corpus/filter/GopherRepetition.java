package org.quern.corpus.filter;

import java.util.List;
import java.util.Optional;
import org.quern.config.EmptyWord;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Drops pages that repeat themselves, by table A1 of "Scaling Language Models: Methods, Analysis &
/// Insights from Training Gopher" (Rae et al., 2021).
public final class GopherRepetition implements Stage {
    private static final int SHORTEST_TOP = 2;
    private static final int SHORTEST_REPEATED = 5;
    private static final ThreadLocal<Repeats> REPEATS = ThreadLocal.withInitial(Repeats::new);
    private static final ThreadLocal<Spans> PARTS = ThreadLocal.withInitial(Spans::new);

    private final Settings settings;

    /// Shares above which a page is dropped; empty ones are not looked at. Shares of characters are of all
    /// code points of the text.
    ///
    /// @param duplicateParagraphs paragraphs (divided by blank lines) that stand before already
    /// @param duplicateParagraphCharacters code points in them
    /// @param duplicateLines lines that stand before already
    /// @param duplicateLineCharacters code points in them
    /// @param topNgrams code points in all occurrences of the most frequent 2-, 3- and 4-gram of words;
    ///     shorter for fewer rules
    /// @param duplicateNgrams code points in 5-, 6-, ... 10-grams of words that stand before already;
    ///     likewise
    public record Settings(
            @EmptyWord("off") Optional<Double> duplicateParagraphs,
            @EmptyWord("off") Optional<Double> duplicateParagraphCharacters,
            @EmptyWord("off") Optional<Double> duplicateLines,
            @EmptyWord("off") Optional<Double> duplicateLineCharacters,
            List<Double> topNgrams,
            List<Double> duplicateNgrams) {
        /// FineWeb's.
        public static final Settings DEFAULT = new Settings(
                Optional.of(0.3),
                Optional.of(0.2),
                Optional.of(0.3),
                Optional.of(0.2),
                List.of(0.2, 0.18, 0.16),
                List.of(0.15, 0.14, 0.13, 0.12, 0.11, 0.1));
    }

    public GopherRepetition(Settings settings) {
        this.settings = settings;
    }

    @Override
    public String name() {
        return "gopher_repetition";
    }

    @Override
    public Verdict apply(Page page) {
        String text = page.text();
        Words words = Words.of(text);
        Repeats repeats = REPEATS.get();
        Spans parts = PARTS.get();
        double length = words.length();

        Rules rules = new Rules();
        splitParagraphs(text, parts);
        repeats.count(words, parts);
        rules.atMost("duplicate_paragraphs", (double) repeats.repeated() / parts.count(), settings.duplicateParagraphs)
                .atMost(
                        "duplicate_paragraph_characters",
                        repeats.repeatedCharacters() / length,
                        settings.duplicateParagraphCharacters);
        splitLines(text, parts);
        repeats.count(words, parts);
        rules.atMost("duplicate_lines", (double) repeats.repeated() / parts.count(), settings.duplicateLines)
                .atMost(
                        "duplicate_line_characters",
                        repeats.repeatedCharacters() / length,
                        settings.duplicateLineCharacters);
        repeats.index(words);
        for (int i = 0; i < settings.topNgrams.size() && !rules.broken(); i++) {
            int n = SHORTEST_TOP + i;
            Optional<Double> most = Optional.of(settings.topNgrams.get(i));
            rules.atMost("top_" + n + "_gram", repeats.mostFrequent(words, n) / length, most);
        }
        for (int i = 0; i < settings.duplicateNgrams.size() && !rules.broken(); i++) {
            int n = SHORTEST_REPEATED + i;
            Optional<Double> most = Optional.of(settings.duplicateNgrams.get(i));
            rules.atMost("duplicate_" + n + "_grams", repeats.repeatedNgrams(words, n) / length, most);
        }
        return rules.verdict(page);
    }

    /// What stands between two or more line breaks, without white space at the text's ends.
    private static void splitParagraphs(String text, Spans parts) {
        int end = text.length();
        while (end > 0 && Characters.isSpace(text.charAt(end - 1))) {
            end--;
        }
        int start = 0;
        while (start < end && Characters.isSpace(text.charAt(start))) {
            start++;
        }
        split(text, start, end, 2, parts);
    }

    /// What stands between line breaks; empty at the start or end where the text begins or ends with one.
    private static void splitLines(String text, Spans parts) {
        split(text, 0, text.length(), 1, parts);
    }

    private static void split(String text, int from, int to, int breaks, Spans parts) {
        parts.clear();
        int start = from;
        int i = from;
        while (i < to) {
            int run = i;
            while (run < to && text.charAt(run) == '\n') {
                run++;
            }
            if (run - i >= breaks) {
                parts.add(start, i);
                start = run;
            }
            i = Math.max(run, i + 1);
        }
        parts.add(start, to);
    }
}
