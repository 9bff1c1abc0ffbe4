package org.quern.tokenizer;

import java.util.Arrays;

/// GPT-2's way to write any bytes as printable characters, one each: bytes that print as Latin-1 stand for themselves,
/// the other 68 become U+0100 and up.
final class ByteAlphabet {
    private static final char[] CHARS = new char[256];
    private static final short[] BYTES = new short[0x144];

    static {
        Arrays.fill(BYTES, (short) -1);
        char next = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean prints = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            CHARS[b] = prints ? (char) b : next++;
            BYTES[CHARS[b]] = (short) b;
        }
    }

    private ByteAlphabet() {}

    /// All bytes in the order of their characters, which is the order of ids in a trained vocabulary.
    static byte[] inOrder() {
        byte[] bytes = new byte[256];
        int n = 0;
        for (short b : BYTES) {
            if (b >= 0) {
                bytes[n++] = (byte) b;
            }
        }
        return bytes;
    }

    static String write(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length);
        for (byte b : bytes) {
            text.append(CHARS[b & 0xFF]);
        }
        return text.toString();
    }

    /// The bytes that `text` stands for, or null where a character is not of the alphabet.
    static byte[] read(String text) {
        byte[] bytes = new byte[text.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = text.charAt(i);
            if (c >= BYTES.length || BYTES[c] < 0) {
                return null;
            }
            bytes[i] = (byte) BYTES[c];
        }
        return bytes;
    }
}
