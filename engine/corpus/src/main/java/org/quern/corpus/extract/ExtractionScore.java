package org.quern.corpus.extract;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// How near extracted texts are to the texts that people took from the same pages, as the article extraction
/// benchmark of Zyte (scrapinghub/article-extraction-benchmark) measures it: runs of four words, as multisets;
/// precision and recall are means over pages, F1 is of these means. A page where nothing was extracted has no
/// precision, one where nothing was to be extracted no recall.
public final class ExtractionScore {
    private static final int RUN = 4;

    private double precisions;
    private double recalls;
    private int pagesWithText;
    private int pagesWithTruth;

    /// @param truth the text that people took from the page
    public void add(String truth, String extracted) {
        Map<String, Integer> expected = runs(truth);
        Map<String, Integer> found = runs(extracted);
        long right = 0;
        for (Map.Entry<String, Integer> run : found.entrySet()) {
            right += Math.min(run.getValue(), expected.getOrDefault(run.getKey(), 0));
        }
        if (!found.isEmpty()) {
            precisions += (double) right / count(found);
            pagesWithText++;
        }
        if (!expected.isEmpty()) {
            recalls += (double) right / count(expected);
            pagesWithTruth++;
        }
    }

    /// In [0, 1]; NaN without pages.
    public double precision() {
        return precisions / pagesWithText;
    }

    /// In [0, 1]; NaN without pages.
    public double recall() {
        return recalls / pagesWithTruth;
    }

    /// In [0, 1]; NaN without pages, or where nothing is right.
    public double f1() {
        return 2 * precision() * recall() / (precision() + recall());
    }

    private static long count(Map<String, Integer> runs) {
        return runs.values().stream().mapToLong(Integer::intValue).sum();
    }

    private static Map<String, Integer> runs(String text) {
        List<String> words = words(text);
        Map<String, Integer> runs = new HashMap<>();
        for (int i = 0; i < Math.max(1, words.size() - RUN + 1) && i < words.size(); i++) {
            runs.merge(String.join(" ", words.subList(i, Math.min(i + RUN, words.size()))), 1, Integer::sum);
        }
        return runs;
    }

    /// Runs of letters, digits and underscores, as Python's `\w+`.
    private static List<String> words(String text) {
        List<String> words = new ArrayList<>();
        int start = -1;
        for (int i = 0; i <= text.length(); ) {
            int c = i < text.length() ? text.codePointAt(i) : ' ';
            boolean part = Character.isLetterOrDigit(c)
                    || c == '_'
                    || Character.getType(c) == Character.LETTER_NUMBER
                    || Character.getType(c) == Character.OTHER_NUMBER;
            if (part && start < 0) {
                start = i;
            } else if (!part && start >= 0) {
                words.add(text.substring(start, i));
                start = -1;
            }
            i += Character.charCount(c);
        }
        return words;
    }
}
