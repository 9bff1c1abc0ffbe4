package org.quern.tokenizer;

import java.util.Arrays;
import org.quern.base.QuernException;

/// Which two adjacent tokens become one, the most urgent first.
///
/// @param pairs the two ids, each pair once, see [PairTable#pair]
/// @param results the id of the token that they become
/// @param byResult the urgency is the resulting id (tiktoken) rather than the place in the list (Hugging Face)
record Merges(long[] pairs, int[] results, boolean byResult) {
    int size() {
        return pairs.length;
    }

    /// Pair to rank and result, as `rank << 32 | result`.
    PairTable table() {
        PairTable table = new PairTable(pairs.length);
        for (int i = 0; i < pairs.length; i++) {
            table.put(pairs[i], (long) (byResult ? results[i] : i) << 32 | results[i]);
        }
        return table;
    }

    /// Collects merges in their order.
    static final class Builder {
        private final Vocabulary vocabulary;
        private long[] pairs = new long[1 << 10];
        private int[] results = new int[1 << 10];
        private int size;

        Builder(Vocabulary vocabulary) {
            this.vocabulary = vocabulary;
        }

        void add(int left, int right, int result) {
            if (size == pairs.length) {
                pairs = Arrays.copyOf(pairs, 2 * size);
                results = Arrays.copyOf(results, 2 * size);
            }
            pairs[size] = PairTable.pair(left, right);
            results[size++] = result;
        }

        /// Adds a merge of two tokens in the [ByteAlphabet].
        void add(String left, String right) {
            int leftId = find(left, left, right);
            int rightId = find(right, left, right);
            add(leftId, rightId, find(left + right, left, right));
        }

        private int find(String token, String left, String right) {
            byte[] bytes = ByteAlphabet.read(token);
            int id = bytes == null ? -1 : vocabulary.find(bytes);
            if (id < 0) {
                throw QuernException.data("%s: merge %d (\"%s %s\") needs token \"%s\", which is not in the vocabulary"
                        .formatted(vocabulary.source(), size, left, right, token));
            }
            return id;
        }

        /// A pair that was added twice keeps its later place.
        Merges build(boolean byResult) {
            PairTable last = new PairTable(size);
            for (int i = 0; i < size; i++) {
                last.put(pairs[i], i);
            }
            int n = 0;
            for (int i = 0; i < size; i++) {
                if (last.get(pairs[i], -1) == i) {
                    pairs[n] = pairs[i];
                    results[n++] = results[i];
                }
            }
            return new Merges(Arrays.copyOf(pairs, n), Arrays.copyOf(results, n), byResult);
        }
    }
}
