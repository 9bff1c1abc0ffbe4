package org.quern.corpus.filter;

/// Lines as Unicode ends them (also by `\r`, form feed, separators), found in place.
final class Lines {
    private Lines() {}

    /// Where the line that starts here ends: before its break, or at the text's end.
    static int end(String text, int start) {
        int end = start;
        while (end < text.length() && !Characters.is(text.charAt(end), Characters.LINE_BREAK)) {
            end++;
        }
        return end;
    }

    /// Where the line after one that ends here starts.
    static int next(String text, int end) {
        boolean pair = text.startsWith("\r\n", end);
        return Math.min(text.length(), end + (pair ? 2 : 1));
    }

    /// The first character that is no white space, or the end.
    static int skipSpace(CharSequence text, int start, int end) {
        int i = start;
        while (i < end && Characters.isSpace(text.charAt(i))) {
            i++;
        }
        return i;
    }

    /// The end without the white space before it.
    static int trimSpace(CharSequence text, int start, int end) {
        int i = end;
        while (i > start && Characters.isSpace(text.charAt(i - 1))) {
            i--;
        }
        return i;
    }
}
