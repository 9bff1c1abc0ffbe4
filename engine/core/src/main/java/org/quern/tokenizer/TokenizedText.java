package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// A text as the tokens that it became, for people to look at.
///
/// @param pieces the text in order
/// @param tokens how many tokens it is
/// @param bytes how many bytes of UTF-8 it has
public record TokenizedText(List<Piece> pieces, int tokens, int bytes) {
    /// A token, or several that share a character.
    ///
    /// @param text the whole characters that they stand for
    /// @param special whether it is an added token
    public record Piece(String text, List<Token> tokens, boolean special) {}

    /// @param bytes in hexadecimal, with spaces
    public record Token(int id, String bytes) {}

    /// @param specials whether the names of special tokens in the text stand for them
    public static TokenizedText of(Tokenizer tokenizer, String text, boolean specials) {
        int[] ids = specials ? tokenizer.encodeWithSpecials(text) : tokenizer.encode(text);
        List<Piece> pieces = new ArrayList<>();
        List<Token> group = new ArrayList<>();
        byte[] bytes = new byte[0];
        int length = 0;
        for (int id : ids) {
            byte[] token = tokenizer.token(id);
            length += token.length;
            bytes = Arrays.copyOf(bytes, bytes.length + token.length);
            System.arraycopy(token, 0, bytes, bytes.length - token.length, token.length);
            group.add(new Token(id, hex(token)));
            if (isWhole(bytes)) {
                pieces.add(new Piece(
                        new String(bytes, StandardCharsets.UTF_8),
                        List.copyOf(group),
                        tokenizer.addedToken(id).isPresent()));
                group.clear();
                bytes = new byte[0];
            }
        }
        if (!group.isEmpty()) {
            pieces.add(new Piece(new String(bytes, StandardCharsets.UTF_8), group, false));
        }
        return new TokenizedText(pieces, ids.length, length);
    }

    /// Whether no character is cut off at the end.
    private static boolean isWhole(byte[] bytes) {
        for (int back = 1; back <= Math.min(4, bytes.length); back++) {
            int b = bytes[bytes.length - back] & 0xFF;
            if (b < 0x80) {
                return true;
            }
            if (b >= 0xC0) {
                return back >= (b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2);
            }
        }
        return true;
    }

    private static String hex(byte[] bytes) {
        StringBuilder hex = new StringBuilder();
        for (byte b : bytes) {
            hex.append(hex.isEmpty() ? "" : " ").append("%02x".formatted(b));
        }
        return hex.toString();
    }
}
