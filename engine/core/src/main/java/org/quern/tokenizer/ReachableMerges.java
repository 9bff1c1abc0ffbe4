package org.quern.tokenizer;

import java.util.Arrays;

/// Tells which merges of a vocabulary can ever happen. What becomes of the bytes of a token, until they are that
/// token, does not depend on what stands around them: so of all pairs that would make it only one occurs, the one
/// that its bytes alone come to, and none at all if they come to something else. A rank file of tiktoken has three
/// times as many pairs as that.
final class ReachableMerges {
    private final Vocabulary vocabulary;
    private final Merges merges;
    private final PairTable table;
    private final int[] byteIds;

    private int[] ids = new int[16];
    private long[] next = new long[16];

    ReachableMerges(Vocabulary vocabulary, Merges merges, int[] byteIds) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.table = merges.table();
        this.byteIds = byteIds;
    }

    /// Their numbers in the list of merges, in order.
    int[] find() {
        int[] found = new int[merges.size()];
        int count = 0;
        int known = -1;
        long pair = 0;
        for (int m = 0; m < found.length; m++) {
            if (merges.results()[m] != known) {
                known = merges.results()[m];
                pair = lastPair(vocabulary.token(known));
            }
            if (merges.pairs()[m] == pair) {
                found[count++] = m;
            }
        }
        return Arrays.copyOf(found, count);
    }

    /// The two tokens that the bytes of a token come to, or -1 if they do not.
    private long lastPair(byte[] token) {
        int length = token.length;
        if (length > ids.length) {
            ids = new int[2 * length];
            next = new long[2 * length];
        }
        for (int i = 0; i < length; i++) {
            ids[i] = byteIds[token[i] & 0xFF];
        }
        for (int i = 0; i + 1 < length; i++) {
            next[i] = merge(i);
        }
        while (length > 2) {
            int best = 0;
            for (int i = 1; i + 1 < length; i++) {
                if (next[i] < next[best]) {
                    best = i;
                }
            }
            if (next[best] == Long.MAX_VALUE) {
                return -1;
            }
            ids[best] = (int) next[best];
            length--;
            System.arraycopy(ids, best + 2, ids, best + 1, length - best - 1);
            System.arraycopy(next, best + 1, next, best, length - best - 1);
            if (best > 0) {
                next[best - 1] = merge(best - 1);
            }
            if (best + 1 < length) {
                next[best] = merge(best);
            }
        }
        return length == 2 ? PairTable.pair(ids[0], ids[1]) : -1;
    }

    /// Rank and result of the merge of `ids[i]` with `ids[i + 1]`.
    private long merge(int i) {
        return table.get(PairTable.pair(ids[i], ids[i + 1]), Long.MAX_VALUE);
    }
}
