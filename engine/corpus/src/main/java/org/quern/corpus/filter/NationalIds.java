package org.quern.corpus.filter;

import static org.quern.corpus.filter.PersonalData.isDigit;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Numbers that states give to persons, where form or checksum tells them from others.
final class NationalIds {
    /// Social Security numbers of the USA: areas 000, 666 and from 900 on, group 00 and serial 0000 are not
    /// given out.
    private static final Pattern USA = Pattern.compile("(?!000|666|9)\\d{3}-(?!00)\\d{2}-(?!0000)\\d{4}");

    /// CPF of Brazil: nine digits and two checks.
    private static final Pattern BRAZIL = Pattern.compile("\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}");

    /// Resident identity numbers of China: region, birthday, serial and a check, which may be X.
    private static final Pattern CHINA =
            Pattern.compile("[1-8]\\d{5}(?:19|20)\\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01])\\d{3}[\\dX]");

    private static final int LONGEST = 18;

    private NationalIds() {}

    static int end(String text, int start) {
        if (!isDigit(text, start) || !PersonalData.starts(text, start)) {
            return PersonalData.Finder.NONE;
        }
        int end = matchEnd(USA, text, start);
        if (end == PersonalData.Finder.NONE) {
            end = matchEnd(BRAZIL, text, start);
            end = end == PersonalData.Finder.NONE
                            || isCpf(text.substring(start, end).replaceAll("\\D", ""))
                    ? end
                    : PersonalData.Finder.NONE;
        }
        if (end == PersonalData.Finder.NONE) {
            end = matchEnd(CHINA, text, start);
            end = end == PersonalData.Finder.NONE || isResident(text, start) ? end : PersonalData.Finder.NONE;
        }
        return end != PersonalData.Finder.NONE && PersonalData.ends(text, end) ? end : PersonalData.Finder.NONE;
    }

    private static int matchEnd(Pattern pattern, String text, int start) {
        Matcher matcher = pattern.matcher(text).region(start, Math.min(text.length(), start + LONGEST));
        return matcher.lookingAt() ? matcher.end() : PersonalData.Finder.NONE;
    }

    private static boolean isCpf(String digits) {
        return digits.chars().distinct().count() > 1
                && check(digits, 9) == digits.charAt(9) - '0'
                && check(digits, 10) == digits.charAt(10) - '0';
    }

    private static int check(String digits, int count) {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            sum += (digits.charAt(i) - '0') * (count + 1 - i);
        }
        return sum * 10 % 11 % 10;
    }

    /// ISO 7064, modulus 11 with radix 2.
    private static boolean isResident(String text, int start) {
        int remainder = 0;
        for (int i = 0; i < LONGEST - 1; i++) {
            remainder = (remainder + text.charAt(start + i) - '0') * 2 % 11;
        }
        char check = text.charAt(start + LONGEST - 1);
        return (remainder + (check == 'X' ? 10 : check - '0')) % 11 == 1;
    }
}
