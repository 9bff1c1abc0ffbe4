package org.quern.corpus.filter;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import org.quern.config.EmptyWord;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Removes lines that are not content and drops pages with too little left, by the rules of "Exploring the
/// Limits of Transfer Learning with a Unified Text-to-Text Transformer" (Raffel et al., 2020).
public final class C4Quality implements Stage {
    /// Marks of Wikipedia: `[12]`, `[edit]`, `[citation needed]`.
    private static final Pattern CITATION =
            Pattern.compile("\\[(?:\\d*|edit|citation needed)]", Pattern.UNICODE_CHARACTER_CLASS);

    private static final List<String> POLICIES =
            List.of("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies");

    private final Settings settings;

    /// @param removeCitations removes `[12]`, `[edit]` and `[citation needed]` from lines
    /// @param requireTerminalPunctuation removes lines that do not end in `.`, `?`, `!` or a quote, or end
    ///     in `...`
    /// @param minLineWords lines with fewer words between spaces are removed
    /// @param maxWordLength lines with a longer word, in code points, are removed
    /// @param removeJavascript removes lines that mention it
    /// @param removePolicies removes lines about terms of use, privacy and cookies
    /// @param dropLoremIpsum drops pages with filler text
    /// @param dropCurlyBracket drops pages with `{`, which are code
    /// @param minSentences pages with fewer sentences in the lines left are dropped
    public record Settings(
            boolean removeCitations,
            boolean requireTerminalPunctuation,
            @EmptyWord("off") Optional<Integer> minLineWords,
            @EmptyWord("off") Optional<Integer> maxWordLength,
            boolean removeJavascript,
            boolean removePolicies,
            boolean dropLoremIpsum,
            boolean dropCurlyBracket,
            @EmptyWord("off") Optional<Double> minSentences) {
        /// FineWeb's, which keeps lines without a full stop.
        public static final Settings DEFAULT =
                new Settings(true, false, Optional.of(3), Optional.of(1000), true, true, true, true, Optional.of(5.0));
    }

    public C4Quality(Settings settings) {
        this.settings = settings;
    }

    @Override
    public String name() {
        return "c4_quality";
    }

    @Override
    public Verdict apply(Page page) {
        String text = page.text();
        StringBuilder kept = new StringBuilder(text.length());
        int sentences = 0;
        for (int start = 0; start < text.length(); ) {
            int end = Lines.end(text, start);
            int first = Lines.skipSpace(text, start, end);
            String line = text.substring(first, Lines.trimSpace(text, first, end));
            start = Lines.next(text, end);
            if (hasLongWord(line)) {
                continue;
            }
            int words = countWords(line);
            if (settings.removeCitations && line.indexOf('[') >= 0) {
                line = CITATION.matcher(line).replaceAll("");
            }
            if (settings.requireTerminalPunctuation && !isTerminated(line)
                    || settings.minLineWords.isPresent() && words < settings.minLineWords.get()) {
                continue;
            }
            String lowerCase = line.toLowerCase(Locale.ROOT);
            if (settings.dropLoremIpsum && lowerCase.contains("lorem ipsum")) {
                return new Verdict.Dropped("lorem_ipsum", 1);
            }
            if (settings.removeJavascript && lowerCase.contains("javascript")) {
                continue;
            }
            if (settings.dropCurlyBracket && line.indexOf('{') >= 0) {
                return new Verdict.Dropped("curly_bracket", 1);
            }
            if (settings.removePolicies && POLICIES.stream().anyMatch(lowerCase::contains)) {
                continue;
            }
            if (settings.minSentences.isPresent()) {
                sentences += Words.of(line).sentences();
            }
            kept.append(kept.isEmpty() ? "" : "\n").append(line);
        }
        int start = Lines.skipSpace(kept, 0, kept.length());
        String left = kept.substring(start, Lines.trimSpace(kept, start, kept.length()));
        return new Rules()
                .atLeast("few_sentences", sentences, settings.minSentences)
                .verdict(page.withText(left));
    }

    private boolean hasLongWord(String line) {
        if (settings.maxWordLength.isEmpty() || line.length() <= settings.maxWordLength.get()) {
            return false;
        }
        int start = 0;
        for (int i = 0; i <= line.length(); i++) {
            if (i == line.length() || Characters.isSpace(line.charAt(i))) {
                if (line.codePointCount(start, i) > settings.maxWordLength.get()) {
                    return true;
                }
                start = i + 1;
            }
        }
        return false;
    }

    private static int countWords(String line) {
        int words = 0;
        for (int i = 0; i < line.length(); i++) {
            boolean starts = i == 0 || Characters.isSpace(line.charAt(i - 1));
            words += starts && !Characters.isSpace(line.charAt(i)) ? 1 : 0;
        }
        return words;
    }

    private static boolean isTerminated(String line) {
        return !line.isEmpty() && ".?!\"'".indexOf(line.charAt(line.length() - 1)) >= 0 && !line.endsWith("...");
    }
}
