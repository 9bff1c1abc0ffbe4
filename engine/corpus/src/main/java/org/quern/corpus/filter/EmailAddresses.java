package org.quern.corpus.filter;

/// E-mail addresses as FineWeb has them: words of ASCII with dots between them, `@`, and two domain labels
/// or more.
final class EmailAddresses {
    private static final String LOCAL_MARKS = "!#$%&'*+/=?^_`{|}~-";

    private EmailAddresses() {}

    /// Appends the text to `out` with every address replaced, and returns how many there were.
    static int replace(String text, String replacement, StringBuilder out) {
        int replaced = 0;
        int copied = 0;
        for (int at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
            int start = start(text, copied, at);
            int end = domainEnd(text, at + 1);
            if (start < at && end > at) {
                out.append(text, copied, start).append(replacement);
                copied = end;
                replaced++;
            }
        }
        out.append(text, copied, text.length());
        return replaced;
    }

    /// Where the name before the sign starts, or the sign itself for none.
    private static int start(String text, int least, int at) {
        int start = at;
        while (start > least && isLocal(text.charAt(start - 1))
                || start > least && start < at && text.charAt(start - 1) == '.' && text.charAt(start) != '.') {
            start--;
        }
        while (start < at && (text.charAt(start) == '.' || !isBoundary(text, start))) {
            start++;
        }
        return start;
    }

    private static boolean isLocal(char c) {
        return isAsciiAlphanumeric(c) || LOCAL_MARKS.indexOf(c) >= 0;
    }

    private static boolean isAsciiAlphanumeric(char c) {
        return c < 0x80 && Character.isLetterOrDigit(c);
    }

    /// Between a character of words and another one, or an end.
    private static boolean isBoundary(String text, int i) {
        boolean before = i > 0 && isWord(text.charAt(i - 1));
        return before != isWord(text.charAt(i));
    }

    private static boolean isWord(char c) {
        return Character.isLetterOrDigit(c) || c == '_';
    }

    /// Where the domain that starts here ends, or here for none.
    private static int domainEnd(String text, int start) {
        int labels = 0;
        int end = start;
        int at = start;
        while (at < text.length() && isAsciiAlphanumeric(text.charAt(at))) {
            int last = at;
            while (at < text.length() && (isAsciiAlphanumeric(text.charAt(at)) || text.charAt(at) == '-')) {
                last = text.charAt(at) == '-' ? last : at;
                at++;
            }
            labels++;
            end = last + 1;
            if (end != at || at == text.length() || text.charAt(at) != '.') {
                break;
            }
            at++;
        }
        return labels >= 2 ? end : start - 1;
    }
}
