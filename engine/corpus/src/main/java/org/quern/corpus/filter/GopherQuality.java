package org.quern.corpus.filter;

import java.util.List;
import java.util.Optional;
import org.quern.config.EmptyWord;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Drops pages that do not read like prose, by the rules of "Scaling Language Models: Methods, Analysis &
/// Insights from Training Gopher" (Rae et al., 2021).
public final class GopherQuality implements Stage {
    private final Settings settings;
    private final List<char[]> stopWords;

    /// Bounds within which a page is kept; empty ones are not looked at.
    ///
    /// @param minWords words with a character that is no punctuation
    /// @param maxWords the same
    /// @param minMeanLength of those words, in code points
    /// @param maxMeanLength the same
    /// @param maxHashes `#` for each word, words of punctuation counted too
    /// @param maxEllipses `...` and `…` for each such word
    /// @param maxBulletLines share of lines that begin with a bullet or `-`
    /// @param maxEllipsisLines share of lines that end in `...` or `…`
    /// @param minLetterWords share of words with a letter
    /// @param minStopWords how many of `stopWords` there are
    /// @param stopWords words of prose, as they are spelt
    public record Settings(
            @EmptyWord("off") Optional<Double> minWords,
            @EmptyWord("off") Optional<Double> maxWords,
            @EmptyWord("off") Optional<Double> minMeanLength,
            @EmptyWord("off") Optional<Double> maxMeanLength,
            @EmptyWord("off") Optional<Double> maxHashes,
            @EmptyWord("off") Optional<Double> maxEllipses,
            @EmptyWord("off") Optional<Double> maxBulletLines,
            @EmptyWord("off") Optional<Double> maxEllipsisLines,
            @EmptyWord("off") Optional<Double> minLetterWords,
            @EmptyWord("off") Optional<Double> minStopWords,
            List<String> stopWords) {
        /// FineWeb's.
        public static final Settings DEFAULT = new Settings(
                Optional.of(50.0),
                Optional.of(100_000.0),
                Optional.of(3.0),
                Optional.of(10.0),
                Optional.of(0.1),
                Optional.of(0.1),
                Optional.of(0.9),
                Optional.of(0.3),
                Optional.of(0.8),
                Optional.of(2.0),
                List.of("the", "be", "to", "of", "and", "that", "have", "with"));
    }

    public GopherQuality(Settings settings) {
        this.settings = settings;
        stopWords =
                settings.stopWords.stream().distinct().map(String::toCharArray).toList();
    }

    @Override
    public String name() {
        return "gopher_quality";
    }

    @Override
    public Verdict apply(Page page) {
        String text = page.text();
        Words words = Words.of(text);
        int all = words.spans().count();
        int spoken = 0;
        int withLetter = 0;
        long characters = 0;
        for (int word = 0; word < all; word++) {
            if (words.hasOther(word, Characters.PUNCTUATION)) {
                spoken++;
                characters += words.length(word);
            }
            withLetter += words.hasAny(word, Characters.LETTER) ? 1 : 0;
        }
        double meanLength = (double) characters / spoken;
        int lines = 0;
        int bullets = 0;
        int ellipsisLines = 0;
        for (int start = 0; start < text.length(); ) {
            int end = Lines.end(text, start);
            lines++;
            bullets += beginsWithBullet(text, start, end) ? 1 : 0;
            ellipsisLines += endsInEllipsis(text, start, end) ? 1 : 0;
            start = Lines.next(text, end);
        }
        return new Rules()
                .atLeast("few_words", spoken, settings.minWords)
                .atMost("many_words", spoken, settings.maxWords)
                .atLeast("short_words", meanLength, settings.minMeanLength)
                .atMost("long_words", meanLength, settings.maxMeanLength)
                .atMost("hashes", (double) count(text, "#") / all, settings.maxHashes)
                .atMost("ellipses", (double) (count(text, "...") + count(text, "…")) / all, settings.maxEllipses)
                .atMost("bullet_lines", (double) bullets / lines, settings.maxBulletLines)
                .atMost("ellipsis_lines", (double) ellipsisLines / lines, settings.maxEllipsisLines)
                .atLeast("words_without_letters", (double) withLetter / all, settings.minLetterWords)
                .atLeast("few_stop_words", stopWords(words), settings.minStopWords)
                .verdict(page);
    }

    private int stopWords(Words words) {
        int found = 0;
        for (char[] stopWord : stopWords) {
            for (int word = 0; word < words.spans().count(); word++) {
                if (words.is(word, stopWord)) {
                    found++;
                    break;
                }
            }
        }
        return found;
    }

    private static int count(String text, String part) {
        int count = 0;
        for (int i = text.indexOf(part); i >= 0; i = text.indexOf(part, i + part.length())) {
            count++;
        }
        return count;
    }

    private static boolean beginsWithBullet(String text, int from, int to) {
        int start = Lines.skipSpace(text, from, to);
        return start < to && (text.charAt(start) == '•' || text.charAt(start) == '-');
    }

    private static boolean endsInEllipsis(String text, int from, int to) {
        int end = Lines.trimSpace(text, from, to);
        return text.startsWith("...", Math.max(from, end - 3)) && end - 3 >= from
                || end > from && text.charAt(end - 1) == '…';
    }
}
