package org.quern.ptx.syntax;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Cuts PTX text into tokens.
final class Lexer {
    private static final Pattern TOKEN = Pattern.compile("""
            (?<space>\\s+|//[^\\n]*|/\\*(?s:.*?)\\*/)\
            |(?<directive>\\.[\\w:]+)\
            |(?<word>%[\\w$]+(?:\\.[xyz]\\b)?|[A-Za-z_$][\\w$]*)\
            |(?<number>(?:0[fF]\\p{XDigit}{8}|0[dD]\\p{XDigit}{16}|0[xX]\\p{XDigit}+U?|0[bB][01]+U?\
            |\\d+\\.\\d*(?:[eE][+-]?\\d+)?|\\d+[eE][+-]?\\d+|\\d+U?)(?![\\w$]))\
            |(?<string>"[^"\\n]*")\
            |(?<symbol>[\\[\\]{}()<>,;:@!|=+-])""");

    enum Kind {
        /// A name, opcode or special register.
        WORD,
        /// A dot and what follows: `.reg`, `.f32`, `.shared::cta`.
        DIRECTIVE,
        NUMBER,
        STRING,
        SYMBOL,
        END
    }

    /// @param line from 1
    /// @param column from 1
    record Token(Kind kind, String text, int line, int column) {
        boolean is(String wanted) {
            return text.equals(wanted) && kind != Kind.STRING;
        }

        PtxSyntaxException unexpected(String expected) {
            return new PtxSyntaxException(line, column, expected, kind == Kind.END ? "the end" : "'" + text + "'");
        }
    }

    private Lexer() {}

    /// All tokens; the last is [Kind#END].
    static List<Token> tokens(String text) {
        List<Token> tokens = new ArrayList<>();
        Matcher matcher = TOKEN.matcher(text);
        int line = 1;
        int lineStart = 0;
        int at = 0;
        while (at < text.length()) {
            int column = at - lineStart + 1;
            if (!matcher.region(at, text.length()).lookingAt()) {
                int found = text.codePointAt(at);
                throw new PtxSyntaxException(line, column, "a PTX token", "'" + Character.toString(found) + "'");
            }
            if (matcher.group("space") == null) {
                tokens.add(new Token(kind(matcher), matcher.group(), line, column));
            }
            for (; at < matcher.end(); at++) {
                if (text.charAt(at) == '\n') {
                    line++;
                    lineStart = at + 1;
                }
            }
        }
        tokens.add(new Token(Kind.END, "", line, at - lineStart + 1));
        return tokens;
    }

    private static Kind kind(Matcher matcher) {
        if (matcher.group("directive") != null) {
            return Kind.DIRECTIVE;
        }
        if (matcher.group("word") != null) {
            return Kind.WORD;
        }
        if (matcher.group("number") != null) {
            return Kind.NUMBER;
        }
        return matcher.group("string") != null ? Kind.STRING : Kind.SYMBOL;
    }
}
