package org.quern.corpus.filter;

/// What reads as a web address, with or without its scheme: `https://a.org/x?y`, `www.example.com`,
/// `who@example.com`.
final class WebAddresses {
    private WebAddresses() {}

    static boolean matches(char[] chars, int from, int to) {
        int start = from;
        int end = from;
        // The host is after the scheme and the user, and before the port and the path.
        for (int i = from; i < to; i++) {
            if (chars[i] == ':' && i + 2 < to && chars[i + 1] == '/' && chars[i + 2] == '/' && start == from) {
                start = i + 3;
                i += 2;
            } else if (chars[i] == '@' && i > from) {
                start = i + 1;
            } else if (chars[i] == '/' || chars[i] == '?' || chars[i] == '#') {
                end = i;
                break;
            }
        }
        end = end > start ? end : to;
        int port = end;
        while (port > start && chars[port - 1] >= '0' && chars[port - 1] <= '9') {
            port--;
        }
        if (port < end && port > start && chars[port - 1] == ':') {
            end = port - 1;
        }
        return isHost(chars, start, end);
    }

    /// Labels divided by dots, the last of two lower-case letters or more.
    private static boolean isHost(char[] chars, int start, int end) {
        int last = end;
        while (last > start && Character.isLowerCase(chars[last - 1])) {
            last--;
        }
        if (end - last < 2 || last - start < 2 || chars[last - 1] != '.') {
            return false;
        }
        boolean labelStarts = true;
        for (int i = start; i < last; i++) {
            char c = chars[i];
            boolean alphanumeric = c < 0x80 ? Character.isLetterOrDigit(c) : c > 0xa0;
            if (c == '.' ? labelStarts : !alphanumeric && (labelStarts || c != '-' && c != '_')) {
                return false;
            }
            labelStarts = c == '.';
        }
        return true;
    }
}
