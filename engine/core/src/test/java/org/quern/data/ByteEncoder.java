package org.quern.data;

/// A token a byte; end-of-text is the last token of the vocabulary.
record ByteEncoder(int vocabSize) implements TextEncoder {
    static final String HASH = "00112233445566778899aabbccddeeff".repeat(2);

    ByteEncoder() {
        this(257);
    }

    @Override
    public int[] encode(byte[] utf8) {
        int[] tokens = new int[utf8.length];
        for (int i = 0; i < utf8.length; i++) {
            tokens[i] = utf8[i] & 0xFF;
        }
        return tokens;
    }

    @Override
    public int endOfText() {
        return vocabSize - 1;
    }

    @Override
    public String hash() {
        return HASH;
    }
}
