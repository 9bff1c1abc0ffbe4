package org.quern.corpus.filter;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Drops pages that share n-grams of words with texts a model will be evaluated on. Words are compared
/// without case, punctuation and diacritics ([NormalText]), by their hashes.
///
/// The reason of a drop is `evaluation`; the value is how many n-grams of the page are in evaluation texts,
/// and the evidence is the text that the first of them is in. Texts of fewer words than an n-gram are not
/// looked for.
public final class Decontamination implements Stage {
    /// GPT-3's n ("Language Models are Few-Shot Learners", Brown et al., 2020, appendix C).
    public static final int DEFAULT_WORDS = 13;

    private static final int NONE = -1;
    private static final ThreadLocal<NormalText> WORDS = ThreadLocal.withInitial(NormalText::new);

    private final List<Evaluated> evaluated;
    private final int words;
    private final int limit;
    private long[] ngrams = new long[1 << 10];
    private int[] texts = new int[1 << 10];
    private int count;

    /// @param name what a report calls the text (`gsm8k/test.jsonl:12`)
    public record Evaluated(String name, String text) {}

    /// @param words in an n-gram
    /// @param limit how many shared n-grams drop a page
    public Decontamination(List<Evaluated> evaluated, int words, int limit) {
        this.evaluated = List.copyOf(evaluated);
        this.words = words;
        this.limit = limit;
        Arrays.fill(texts, NONE);
        NormalText text = new NormalText();
        for (int i = 0; i < evaluated.size(); i++) {
            text.read(evaluated.get(i).text());
            for (int first = 0; first + words <= text.count(); first++) {
                add(text.ngram(first, words), i);
            }
        }
    }

    @Override
    public String name() {
        return "decontamination";
    }

    @Override
    public Verdict apply(Page page) {
        NormalText text = WORDS.get();
        text.read(page.text());
        int shared = 0;
        Optional<String> hit = Optional.empty();
        for (int first = 0; first + words <= text.count(); first++) {
            int found = texts[slot(text.ngram(first, words))];
            if (found != NONE) {
                shared++;
                hit = hit.isPresent() ? hit : Optional.of(evaluated.get(found).name());
            }
        }
        return hit.isPresent() && shared >= limit
                ? new Verdict.Dropped("evaluation", shared, hit.get())
                : new Verdict.Kept(page);
    }

    private void add(long ngram, int text) {
        if (2 * (count + 1) > ngrams.length) {
            long[] oldNgrams = ngrams;
            int[] oldTexts = texts;
            ngrams = new long[2 * oldNgrams.length];
            texts = new int[ngrams.length];
            Arrays.fill(texts, NONE);
            for (int i = 0; i < oldNgrams.length; i++) {
                if (oldTexts[i] != NONE) {
                    int slot = slot(oldNgrams[i]);
                    ngrams[slot] = oldNgrams[i];
                    texts[slot] = oldTexts[i];
                }
            }
        }
        int slot = slot(ngram);
        if (texts[slot] == NONE) {
            ngrams[slot] = ngram;
            texts[slot] = text;
            count++;
        }
    }

    private int slot(long ngram) {
        int mask = ngrams.length - 1;
        int slot = (int) (ngram >>> 32) & mask;
        while (texts[slot] != NONE && ngrams[slot] != ngram) {
            slot = slot + 1 & mask;
        }
        return slot;
    }
}
