package org.quern.tokenizer;

import java.util.List;

/// Finds added tokens in text: leftmost first, then the longest.
final class AddedTokenFinder {
    private static final int BITS_PER_BYTE = 8;

    /// (node, byte) to node; node 0 is the root.
    private final PairTable edges = new PairTable(64);
    private final boolean[] starts = new boolean[256];
    private final AddedToken[] tokenAt;

    AddedTokenFinder(List<AddedToken> tokens) {
        tokenAt = new AddedToken
                [1 + tokens.stream().mapToInt(t -> 4 * t.content().length()).sum()];
        int nodes = 1;
        for (AddedToken token : tokens) {
            byte[] content = token.utf8();
            starts[content[0] & 0xFF] = true;
            int node = 0;
            for (byte b : content) {
                int next = next(node, b);
                if (next < 0) {
                    next = nodes++;
                    edges.put(edge(node, b), next);
                }
                node = next;
            }
            tokenAt[node] = token;
        }
    }

    private static long edge(int node, byte b) {
        return (long) node << BITS_PER_BYTE | b & 0xFF;
    }

    private int next(int node, byte b) {
        return (int) edges.get(edge(node, b), -1);
    }

    /// The first position from `from` on at which a token starts, or `to`.
    int find(byte[] text, int from, int to) {
        int i = from;
        while (i < to && !(starts[text[i] & 0xFF] && at(text, i, to) != null)) {
            i++;
        }
        return i;
    }

    /// The longest token that starts at `from`, or null.
    AddedToken at(byte[] text, int from, int to) {
        AddedToken longest = null;
        int node = 0;
        for (int i = from; i < to; i++) {
            node = next(node, text[i]);
            if (node < 0) {
                break;
            }
            if (tokenAt[node] != null) {
                longest = tokenAt[node];
            }
        }
        return longest;
    }
}
