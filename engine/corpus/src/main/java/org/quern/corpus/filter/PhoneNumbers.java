package org.quern.corpus.filter;

import static org.quern.corpus.filter.PersonalData.isDigit;

import java.util.List;
import java.util.Locale;

/// Telephone numbers that say that they are one: by `+` and a country, by the grouping of North America, or
/// by a word before them. A row of digits alone is none, and neither is a date.
final class PhoneNumbers {
    private static final int FEWEST_DIGITS = 7;
    private static final int MOST_DIGITS = 15;
    private static final List<String> WORDS = List.of(
            "tel",
            "telefon",
            "teléfono",
            "téléphone",
            "telephone",
            "phone",
            "fax",
            "mobile",
            "mobil",
            "cell",
            "call",
            "whatsapp");

    private PhoneNumbers() {}

    static int end(String text, int start) {
        char first = text.charAt(start);
        if (first == '+') {
            return isDigit(text, start + 1) && text.charAt(start + 1) != '0'
                    ? digitsEnd(text, start + 1)
                    : PersonalData.Finder.NONE;
        }
        if (first != '(' && !isDigit(first) || !PersonalData.starts(text, start)) {
            return PersonalData.Finder.NONE;
        }
        int american = americanEnd(text, start);
        return american == PersonalData.Finder.NONE && followsWord(text, start) ? digitsEnd(text, start) : american;
    }

    /// Digits in groups that up to three marks divide; a number has 7 to 15 of them.
    private static int digitsEnd(String text, int start) {
        int digits = 0;
        int end = start;
        int at = start;
        while (at < text.length()) {
            if (isDigit(text, at)) {
                digits++;
                end = ++at;
            } else if (" -.()/\u00a0".indexOf(text.charAt(at)) >= 0 && at - end < 3) {
                at++;
            } else {
                break;
            }
        }
        return digits >= FEWEST_DIGITS && digits <= MOST_DIGITS && PersonalData.ends(text, end)
                ? end
                : PersonalData.Finder.NONE;
    }

    /// `(212) 555-1234`, `212-555-1234`, `212.555.1234`, `1-212-555-1234`: area and exchange start with 2
    /// to 9.
    private static int americanEnd(String text, int start) {
        int at = start;
        if (text.charAt(at) == '1' && at + 1 < text.length() && "-. ".indexOf(text.charAt(at + 1)) >= 0) {
            at += 2;
        }
        boolean bracket = at < text.length() && text.charAt(at) == '(';
        at = groupEnd(text, bracket ? at + 1 : at, 3);
        if (at < 0 || at >= text.length()) {
            return PersonalData.Finder.NONE;
        }
        char mark = text.charAt(at);
        if (bracket ? mark != ')' : mark != '-' && mark != '.') {
            return PersonalData.Finder.NONE;
        }
        at++;
        if (bracket && at < text.length() && text.charAt(at) == ' ') {
            at++;
        }
        at = groupEnd(text, at, 3);
        if (at < 0 || at >= text.length() || text.charAt(at) != (bracket ? '-' : mark)) {
            return PersonalData.Finder.NONE;
        }
        int last = at + 1;
        at = last;
        while (isDigit(text, at)) {
            at++;
        }
        return at - last == 4 && PersonalData.ends(text, at) ? at : PersonalData.Finder.NONE;
    }

    private static int groupEnd(String text, int start, int digits) {
        if (!isDigit(text, start) || text.charAt(start) < '2') {
            return PersonalData.Finder.NONE;
        }
        for (int i = 1; i < digits; i++) {
            if (!isDigit(text, start + i)) {
                return PersonalData.Finder.NONE;
            }
        }
        return start + digits;
    }

    /// Whether a word such as `tel` stands before, with nothing but marks between: `Tel.: `.
    private static boolean followsWord(String text, int start) {
        int end = start;
        while (end > 0 && start - end < 4 && " .:#=\u00a0".indexOf(text.charAt(end - 1)) >= 0) {
            end--;
        }
        int first = end;
        while (first > 0 && end - first < 10 && Character.isLetter(text.charAt(first - 1))) {
            first--;
        }
        return WORDS.contains(text.substring(first, end).toLowerCase(Locale.ROOT));
    }
}
