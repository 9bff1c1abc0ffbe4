package org.quern.corpus.filter;

import static org.quern.corpus.filter.PersonalData.isDigit;

import java.util.HashMap;
import java.util.Map;

/// Numbers of bank accounts and payment cards, which carry their own proof.
final class AccountNumbers {
    private static final Map<String, Integer> IBAN_LENGTHS = new HashMap<>();
    private static final int MOST_CARD_DIGITS = 19;
    private static final int FEWEST_CARD_DIGITS = 13;

    static {
        String lengths =
                "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29"
                        + " ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28"
                        + " LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24"
                        + " RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20";
        for (String length : lengths.split(" ")) {
            IBAN_LENGTHS.put(length.substring(0, 2), Integer.parseInt(length.substring(2)));
        }
    }

    private AccountNumbers() {}

    /// `DE89 3704 0044 0532 0130 00`, with or without spaces: ISO 13616, remainder 1 modulo 97.
    static int ibanEnd(String text, int start) {
        if (start + 4 > text.length() || !isDigit(text, start + 2) || !isDigit(text, start + 3)) {
            return PersonalData.Finder.NONE;
        }
        int length = IBAN_LENGTHS.getOrDefault(text.substring(start, start + 2), 0);
        StringBuilder account = new StringBuilder();
        int at = start;
        while (at < text.length() && account.length() < length) {
            char c = text.charAt(at);
            boolean divides = c == ' ' && account.length() % 4 == 0;
            if (isDigit(c) || c >= 'A' && c <= 'Z') {
                account.append(c);
            } else if (!divides) {
                return PersonalData.Finder.NONE;
            }
            at++;
        }
        if (length == 0 || account.length() < length || !PersonalData.ends(text, at)) {
            return PersonalData.Finder.NONE;
        }
        int remainder = 0;
        for (int i = 0; i < length; i++) {
            int value = Character.digit(account.charAt((i + 4) % length), 36);
            remainder = (remainder * (value < 10 ? 10 : 100) + value) % 97;
        }
        return remainder == 1 ? at : PersonalData.Finder.NONE;
    }

    /// 13 to 19 digits, together or in groups that spaces or else hyphens divide, with an issuer's
    /// beginning and Luhn's checksum.
    static int cardEnd(String text, int start) {
        if (!isDigit(text, start) || !PersonalData.starts(text, start)) {
            return PersonalData.Finder.NONE;
        }
        StringBuilder digits = new StringBuilder();
        char mark = 0;
        int at = start;
        while (at < text.length() && digits.length() <= MOST_CARD_DIGITS) {
            char c = text.charAt(at);
            if (isDigit(c)) {
                digits.append(c);
            } else if (c != ' ' && c != '-' || mark != 0 && c != mark || !isDigit(text, at + 1)) {
                break;
            } else {
                mark = c;
            }
            at++;
        }
        boolean card = isIssued(digits) && luhn(digits) && PersonalData.ends(text, at);
        return card ? at : PersonalData.Finder.NONE;
    }

    private static boolean isIssued(CharSequence digits) {
        int length = digits.length();
        if (length < FEWEST_CARD_DIGITS || length > MOST_CARD_DIGITS) {
            return false;
        }
        int four = Integer.parseInt(digits, 0, 4, 10);
        int two = four / 100;
        if (two == 34 || two == 37) {
            return length == 15;
        }
        if (two == 36 || two == 38 || two == 30) {
            return length == 14;
        }
        if (two / 10 == 4) {
            return length == 13 || length == 16 || length == 19;
        }
        boolean masterCard = two >= 51 && two <= 55 || four >= 2221 && four <= 2720;
        boolean other = four == 6011 || two == 65 || two == 62 || two == 35 || four >= 6440 && four <= 6499;
        return masterCard && length == 16 || other && length >= 16;
    }

    private static boolean luhn(CharSequence digits) {
        int sum = 0;
        for (int i = 0; i < digits.length(); i++) {
            int digit = digits.charAt(digits.length() - 1 - i) - '0';
            int doubled = i % 2 == 0 ? digit : 2 * digit;
            sum += doubled > 9 ? doubled - 9 : doubled;
        }
        return sum % 10 == 0;
    }
}
