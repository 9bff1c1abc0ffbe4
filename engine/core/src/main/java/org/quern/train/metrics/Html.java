package org.quern.train.metrics;

/// Text in HTML.
final class Html {
    private Html() {}

    /// Text as HTML shows it to the letter: markup is inert, control characters are shown as their pictures.
    static String escape(String text) {
        StringBuilder html = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> html.append("&amp;");
                case '<' -> html.append("&lt;");
                case '>' -> html.append("&gt;");
                case '"' -> html.append("&quot;");
                case '\'' -> html.append("&#39;");
                case '\n', '\t' -> html.append((char) c);
                case 0x7F -> html.append('\u2421');
                default -> {
                    if (c < 0x20) {
                        html.append((char) (0x2400 + c));
                    } else if (isUnshowable(c)) {
                        html.append('\uFFFD');
                    } else {
                        html.appendCodePoint(c);
                    }
                }
            }
        });
        return html.toString();
    }

    /// Lone surrogates, noncharacters and the C1 controls, which are errors in HTML.
    private static boolean isUnshowable(int c) {
        return c >= 0x80 && c < 0xA0
                || c >= 0xD800 && c < 0xE000
                || c >= 0xFDD0 && c < 0xFDF0
                || (c & 0xFFFE) == 0xFFFE;
    }
}
