package org.quern.corpus.filter;

import java.util.Optional;
import org.quern.config.EmptyWord;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Drops pages made of lists and fragments, by the rules that "The FineWeb Datasets" (Penedo et al., 2024)
/// found by comparing good crawls with bad ones. Lines end in `\n`, and those of white space alone do not
/// count.
public final class FineWebQuality implements Stage {
    private static final ThreadLocal<Repeats> REPEATS = ThreadLocal.withInitial(Repeats::new);
    private static final ThreadLocal<Spans> LINES = ThreadLocal.withInitial(Spans::new);

    private final Settings settings;

    /// Bounds within which a page is kept; empty ones are not looked at.
    ///
    /// @param minTerminatedLines share of lines that end with a sentence's end, of any script
    /// @param maxShortLines share of lines of `shortLine` code points or fewer
    /// @param shortLine how long a short line may be
    /// @param maxDuplicateLineCharacters share of code points in lines that stand before already
    /// @param maxLineBreaks line breaks for each word
    public record Settings(
            @EmptyWord("off") Optional<Double> minTerminatedLines,
            @EmptyWord("off") Optional<Double> maxShortLines,
            int shortLine,
            @EmptyWord("off") Optional<Double> maxDuplicateLineCharacters,
            @EmptyWord("off") Optional<Double> maxLineBreaks) {
        public static final Settings DEFAULT =
                new Settings(Optional.of(0.12), Optional.of(0.67), 30, Optional.of(0.01), Optional.of(0.3));
    }

    public FineWebQuality(Settings settings) {
        this.settings = settings;
    }

    @Override
    public String name() {
        return "fineweb_quality";
    }

    @Override
    public Verdict apply(Page page) {
        String text = page.text();
        Words words = Words.of(text);
        Spans lines = LINES.get();
        lines.clear();
        int breaks = 0;
        int terminated = 0;
        int shortLines = 0;
        for (int start = 0; start <= text.length(); ) {
            int end = text.indexOf('\n', start);
            breaks += end < 0 ? 0 : 1;
            end = end < 0 ? text.length() : end;
            if (Lines.skipSpace(text, start, end) < end) {
                lines.add(start, end);
                terminated += Characters.is(text.codePointBefore(end), Characters.SENTENCE_END) ? 1 : 0;
                shortLines += words.length(start, end) <= settings.shortLine ? 1 : 0;
            }
            start = end + 1;
        }
        if (lines.count() == 0) {
            return new Verdict.Dropped("empty", 0);
        }
        Repeats repeats = REPEATS.get();
        repeats.count(words, lines);
        return new Rules()
                .atLeast("unterminated_lines", (double) terminated / lines.count(), settings.minTerminatedLines)
                .atMost("short_lines", (double) shortLines / lines.count(), settings.maxShortLines)
                .atMost(
                        "duplicate_line_characters",
                        (double) repeats.repeatedCharacters() / (words.length() - breaks),
                        settings.maxDuplicateLineCharacters)
                .atMost("line_breaks", (double) breaks / words.spans().count(), settings.maxLineBreaks)
                .verdict(page);
    }
}
