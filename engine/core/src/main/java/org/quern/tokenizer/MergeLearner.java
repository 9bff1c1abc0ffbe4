package org.quern.tokenizer;

import java.util.Arrays;

/// Finds the merges: takes the most frequent pair, merges it in the words that hold it, corrects the counts of
/// the pairs beside it, and so on.
///
/// A pair comes into the queue with the words in which one step made it. Its count there may be too high by the
/// time it comes up; then it goes back with the right one. Two merges can make the same token, so a pair can
/// come into the queue twice, each time with other words; it is then merged twice, and the later place counts.
/// A merged pair keeps its count. All this is as in Hugging Face tokenizers, on purpose.
final class MergeLearner {
    private final Vocabulary vocabulary;
    private final Merges.Builder merges;
    private final PairTable counts = new PairTable(1 << 12);
    private final PairQueue queue = new PairQueue();

    /// Word w is `lengths[w]` tokens from `symbols[starts[w]]` on, and occurs `weights[w]` times.
    private final int[] symbols;

    private final int[] starts;
    private final int[] lengths;
    private final long[] weights;

    /// @param vocabulary holds the single bytes, at ids without gaps, and gets the new tokens
    MergeLearner(WordList words, Vocabulary vocabulary) {
        this.vocabulary = vocabulary;
        merges = new Merges.Builder(vocabulary);
        int[] byteIds = new int[256];
        for (int b = 0; b < byteIds.length; b++) {
            byteIds[b] = vocabulary.find(new byte[] {(byte) b});
        }
        byte[] bytes = words.bytes();
        int count = words.size();
        starts = new int[count];
        lengths = new int[count];
        weights = new long[count];
        symbols = new int[count == 0 ? 0 : words.end(count - 1)];
        for (int w = 0; w < count; w++) {
            starts[w] = words.start(w);
            lengths[w] = words.end(w) - starts[w];
            weights[w] = words.count(w);
        }
        for (int i = 0; i < symbols.length; i++) {
            symbols[i] = byteIds[bytes[i] & 0xFF];
        }
    }

    /// Merges until the vocabulary has `vocabSize` tokens or no pair is left.
    Merges learn(int vocabSize, BpeTrainer.Progress progress) {
        int first = vocabulary.size();
        countPairs();
        Neighbours before = new Neighbours(vocabSize);
        Neighbours after = new Neighbours(vocabSize);
        while (vocabulary.size() < vocabSize && !queue.isEmpty()) {
            long pair = queue.topPair();
            long count = counts.get(pair, 0);
            if (count != queue.topCount()) {
                queue.recountTop(count);
                continue;
            }
            if (count < 1) {
                break;
            }
            int[] in = queue.topWords();
            queue.removeTop();
            int left = PairTable.left(pair);
            int right = PairTable.right(pair);
            int merged = tokenOf(left, right);
            merges.add(left, right, merged);
            for (int word : in) {
                merge(word, left, right, merged, before, after);
            }
            for (int i = 0; i < before.size(); i++) {
                change(PairTable.pair(before.token(i), left), -before.lost(i));
                change(PairTable.pair(before.token(i), merged), before.gained(i));
            }
            for (int i = 0; i < after.size(); i++) {
                change(PairTable.pair(right, after.token(i)), -after.lost(i));
                change(PairTable.pair(merged, after.token(i)), after.gained(i));
            }
            before.collect();
            for (int i = 0; i < before.size(); i++) {
                offer(PairTable.pair(before.token(i), merged), before.words(i));
            }
            after.collect();
            for (int i = 0; i < after.size(); i++) {
                offer(PairTable.pair(merged, after.token(i)), after.words(i));
            }
            before.clear();
            after.clear();
            progress.merged(vocabulary.size() - first, vocabSize - first);
        }
        return merges.build(false);
    }

    /// Each pair of the first step is a pair of bytes, whose ids have no gaps.
    private void countPairs() {
        int base = Arrays.stream(symbols).min().orElse(0);
        int[] wordCount = new int[1 << 16];
        int[] lastWord = new int[1 << 16];
        Arrays.fill(lastWord, -1);
        for (int w = 0; w < starts.length; w++) {
            for (int i = starts[w]; i < starts[w] + lengths[w] - 1; i++) {
                counts.add(PairTable.pair(symbols[i], symbols[i + 1]), weights[w]);
                int slot = symbols[i] - base << 8 | symbols[i + 1] - base;
                if (lastWord[slot] != w) {
                    lastWord[slot] = w;
                    wordCount[slot]++;
                }
            }
        }
        int[][] words = new int[1 << 16][];
        Arrays.setAll(words, slot -> new int[wordCount[slot]]);
        Arrays.fill(wordCount, 0);
        Arrays.fill(lastWord, -1);
        for (int w = 0; w < starts.length; w++) {
            for (int i = starts[w]; i < starts[w] + lengths[w] - 1; i++) {
                int slot = symbols[i] - base << 8 | symbols[i + 1] - base;
                if (lastWord[slot] != w) {
                    lastWord[slot] = w;
                    words[slot][wordCount[slot]++] = w;
                }
            }
        }
        for (int slot = 0; slot < words.length; slot++) {
            offer(PairTable.pair(base + (slot >>> 8), base + (slot & 0xFF)), words[slot]);
        }
    }

    private void change(long pair, long amount) {
        if (amount != 0) {
            counts.add(pair, amount);
        }
    }

    private void offer(long pair, int[] words) {
        if (words.length > 0) {
            long count = counts.get(pair, 0);
            if (count > 0) {
                queue.push(count, pair, words);
            }
        }
    }

    private int tokenOf(int left, int right) {
        byte[] first = vocabulary.token(left);
        byte[] second = vocabulary.token(right);
        byte[] token = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, token, first.length, second.length);
        int known = vocabulary.find(token);
        if (known >= 0) {
            return known;
        }
        vocabulary.add(token, vocabulary.size());
        return vocabulary.size() - 1;
    }

    private void merge(int word, int left, int right, int merged, Neighbours before, Neighbours after) {
        int start = starts[word];
        int end = start + lengths[word];
        long weight = weights[word];
        int to = start;
        for (int from = start; from < end; from++) {
            if (symbols[from] != left || from + 1 == end || symbols[from + 1] != right) {
                symbols[to++] = symbols[from];
                continue;
            }
            if (to > start) {
                before.lose(symbols[to - 1], weight);
                before.gain(symbols[to - 1], word, weight);
            }
            symbols[to++] = merged;
            from++;
            if (from + 1 < end) {
                int next = symbols[from + 1];
                after.lose(next, weight);
                // The merged token beside itself is one pair, whichever side it is seen from.
                if (next == merged) {
                    before.gain(next, word, weight);
                } else {
                    after.gain(next, word, weight);
                }
            }
        }
        lengths[word] = to - start;
    }
}
