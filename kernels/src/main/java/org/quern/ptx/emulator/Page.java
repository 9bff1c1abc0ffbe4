package org.quern.ptx.emulator;

import java.util.Arrays;

/// 64 KiB of global memory with, for every word, which bytes hold a value and who touched it last.
final class Page {
    static final int BITS = 16;
    static final int BYTES = 1 << BITS;
    static final int WORDS = BYTES / 4;

    final int[] data = new int[WORDS];
    /// Four bits a word, the lowest for the lowest byte.
    final byte[] defined = new byte[WORDS];

    /// [Access] by word; made when first a kernel touches the page.
    long[] writes;
    long[] reads;
    /// By byte, for words with [Access#SPECIAL].
    long[] byteWrites;
    long[] byteReads;

    long[] writes() {
        if (writes == null) {
            writes = new long[WORDS];
        }
        return writes;
    }

    long[] reads() {
        if (reads == null) {
            reads = new long[WORDS];
        }
        return reads;
    }

    /// Gives each byte of a word its own entry.
    void splitWrites(int word) {
        if (writes()[word] >= 0) {
            if (byteWrites == null) {
                byteWrites = new long[BYTES];
            }
            Arrays.fill(byteWrites, word * 4, word * 4 + 4, writes[word]);
            writes[word] = Access.SPECIAL;
        }
    }

    /// As [#splitWrites].
    void splitReads(int word) {
        if (reads()[word] >= 0) {
            if (byteReads == null) {
                byteReads = new long[BYTES];
            }
            Arrays.fill(byteReads, word * 4, word * 4 + 4, reads[word]);
            reads[word] = Access.SPECIAL;
        }
    }

    void forgetAccesses() {
        writes = null;
        reads = null;
        byteWrites = null;
        byteReads = null;
    }
}
