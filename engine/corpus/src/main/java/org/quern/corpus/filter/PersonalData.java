package org.quern.corpus.filter;

import java.util.ArrayList;
import java.util.List;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Replaces what leads to a person by something of the same form that leads to nobody, always the same for
/// a kind, so that a page comes out the same wherever it stands in a crawl. Counts what it replaces as
/// score `personal_data`.
///
/// FineWeb replaces e-mail addresses and public IPv4 addresses, and takes turns among replacements. Here an
/// IPv4 address has no digit or further number beside it: `1.2.3.4` is one, in a version `1.2.3.4.5` is
/// none.
public final class PersonalData implements Stage {
    private static final String NAME = "personal_data";

    private final boolean emails;
    private final List<Kind> kinds;

    /// @param emails `who@example.com`
    /// @param ipAddresses public ones of both versions
    /// @param phones international ones with `+`, those of North America, and numbers after a word such as
    ///     `tel`
    /// @param ibans bank accounts whose length and checksum are right
    /// @param cards payment cards whose issuer, length and checksum are right
    /// @param nationalIds of the USA (by form), and of Brazil and China (by checksum)
    public record Settings(
            boolean emails, boolean ipAddresses, boolean phones, boolean ibans, boolean cards, boolean nationalIds) {
        public static final Settings ALL = new Settings(true, true, true, true, true, true);

        /// What FineWeb replaces, and IPv6.
        public static final Settings DEFAULT = new Settings(true, true, false, false, false, false);
    }

    /// A kind of data and what stands for it.
    private record Kind(Finder finder, String replacement) {}

    /// Finds data that starts at a place; the places asked for are digits, `+`, `(` and capitals, not after
    /// a letter or digit.
    @FunctionalInterface
    interface Finder {
        int NONE = -1;

        /// Where the data that starts here ends, or [#NONE].
        int end(String text, int start);
    }

    public PersonalData(Settings settings) {
        emails = settings.emails;
        kinds = new ArrayList<>();
        if (settings.ibans) {
            kinds.add(new Kind(AccountNumbers::ibanEnd, "GB00 0000 0000 0000 0000 00"));
        }
        if (settings.cards) {
            kinds.add(new Kind(AccountNumbers::cardEnd, "0000 0000 0000 0000"));
        }
        if (settings.nationalIds) {
            kinds.add(new Kind(NationalIds::end, "000-00-0000"));
        }
        if (settings.ipAddresses) {
            kinds.add(new Kind(IpAddresses::endOfV4, "192.0.2.1"));
            kinds.add(new Kind(IpAddresses::endOfV6, "2001:db8::1"));
        }
        if (settings.phones) {
            kinds.add(new Kind(PhoneNumbers::end, "+1 555 555 0100"));
        }
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Verdict apply(Page page) {
        StringBuilder out = new StringBuilder();
        int replaced = 0;
        String text = page.text();
        if (emails && text.indexOf('@') >= 0) {
            replaced += EmailAddresses.replace(text, "email@example.com", out);
            text = out.toString();
            out.setLength(0);
        }
        replaced += replaceNumbers(text, out);
        return new Verdict.Kept((replaced == 0 ? page : page.withText(out.toString())).withScore(NAME, replaced));
    }

    private int replaceNumbers(String text, StringBuilder out) {
        int replaced = 0;
        int copied = 0;
        int i = 0;
        while (i < text.length()) {
            char c = text.charAt(i);
            boolean candidate = c <= 'Z' && (isDigit(c) || c == '+' || c == '(' || c >= 'A') && !continues(text, i);
            int end = Finder.NONE;
            for (int kind = 0; candidate && kind < kinds.size() && end == Finder.NONE; kind++) {
                end = kinds.get(kind).finder.end(text, i);
                if (end != Finder.NONE) {
                    out.append(text, copied, i).append(kinds.get(kind).replacement);
                    copied = end;
                    replaced++;
                }
            }
            i = Math.max(end, i + 1);
        }
        out.append(text, copied, text.length());
        return replaced;
    }

    private static boolean continues(String text, int i) {
        return i > 0 && (Character.isLetterOrDigit(text.charAt(i - 1)) || text.charAt(i - 1) == '_');
    }

    static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    static boolean isDigit(CharSequence text, int i) {
        return i >= 0 && i < text.length() && isDigit(text.charAt(i));
    }

    /// Whether nothing goes on after data that ends here: no letter or digit, nor a mark with a digit after
    /// it.
    static boolean ends(String text, int end) {
        if (end >= text.length()) {
            return true;
        }
        char next = text.charAt(end);
        return !Character.isLetterOrDigit(next)
                && next != '_'
                && !("-./:".indexOf(next) >= 0 && isDigit(text, end + 1));
    }

    /// Whether data that starts here is not the rest of a longer number.
    static boolean starts(String text, int start) {
        return start < 2 || "-./:,".indexOf(text.charAt(start - 1)) < 0 || !isDigit(text, start - 2);
    }
}
