package org.quern.corpus.filter;

import static org.quern.corpus.filter.PersonalData.isDigit;

/// Addresses of machines on the public internet. Private, local, documentation and multicast ones lead to
/// nobody.
final class IpAddresses {
    private static final int GROUPS_OF_V6 = 8;

    private IpAddresses() {}

    /// Where the four numbers that start here end.
    static int endOfV4(String text, int start) {
        if (!PersonalData.starts(text, start)) {
            return PersonalData.Finder.NONE;
        }
        int address = 0;
        int at = start;
        for (int part = 0; part < 4; part++) {
            int first = at;
            int value = 0;
            while (isDigit(text, at) && at - first < 3) {
                value = 10 * value + text.charAt(at++) - '0';
            }
            boolean padded = at - first > 1 && text.charAt(first) == '0';
            if (at == first || padded || value > 255) {
                return PersonalData.Finder.NONE;
            }
            address = address << 8 | value;
            if (part < 3 && (at >= text.length() || text.charAt(at++) != '.')) {
                return PersonalData.Finder.NONE;
            }
        }
        boolean goesOn = isDigit(text, at) || at < text.length() && text.charAt(at) == '.' && isDigit(text, at + 1);
        return goesOn || !isPublic(address) ? PersonalData.Finder.NONE : at;
    }

    /// By the registry of special-purpose addresses (RFC 6890 and its followers) and without multicast.
    private static boolean isPublic(int address) {
        return !(in(address, 0, 8)
                || in(address, 10 << 24, 8)
                || in(address, 100 << 24 | 64 << 16, 10)
                || in(address, 127 << 24, 8)
                || in(address, 169 << 24 | 254 << 16, 16)
                || in(address, 172 << 24 | 16 << 16, 12)
                || in(address, 192 << 24, 24)
                || in(address, 192 << 24 | 2 << 8, 24)
                || in(address, 192 << 24 | 168 << 16, 16)
                || in(address, 198 << 24 | 18 << 16, 15)
                || in(address, 198 << 24 | 51 << 16 | 100 << 8, 24)
                || in(address, 203 << 24 | 113 << 8, 24)
                || address >>> 29 == 7);
    }

    private static boolean in(int address, int network, int bits) {
        return (address ^ network) >>> 32 - bits == 0;
    }

    /// Where the groups that start here end: eight, or `::` for some of them; of the public range 2000::/3
    /// but for documentation.
    static int endOfV6(String text, int start) {
        if (text.charAt(start) != '2' && text.charAt(start) != '3') {
            return PersonalData.Finder.NONE;
        }
        int groups = 0;
        boolean gap = false;
        int at = start;
        int end = start;
        while (at < text.length() && groups < GROUPS_OF_V6) {
            int first = at;
            while (at < text.length() && at - first < 4 && Character.digit(text.charAt(at), 16) >= 0) {
                at++;
            }
            if (at == first || groups == 0 && at - first != 4) {
                break;
            }
            groups++;
            end = at;
            if (at + 1 < text.length() && text.charAt(at) == ':' && text.charAt(at + 1) == ':' && !gap) {
                gap = true;
                at += 2;
                end = at;
            } else if (at < text.length() && text.charAt(at) == ':') {
                at++;
            } else {
                break;
            }
        }
        boolean whole = gap ? groups < GROUPS_OF_V6 : groups == GROUPS_OF_V6;
        boolean continued =
                end < text.length() && (Character.isLetterOrDigit(text.charAt(end)) || text.charAt(end) == ':');
        boolean documentation = text.regionMatches(true, start, "2001:db8:", 0, 9);
        return whole && !continued && !documentation ? end : PersonalData.Finder.NONE;
    }
}
