package org.quern.launcher.cluster;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// Where a process listens.
///
/// @param host a name or an address; one of IPv6 without brackets
public record Address(String host, int port) {
    /// What torchrun takes.
    public static final int DEFAULT_PORT = 29500;

    private static final Pattern FORM = Pattern.compile("(\\[[0-9a-fA-F:.%\\w]+]|[^:\\s]+)(?::(\\d{1,5}))?");
    private static final int MOST = 0xFFFF;

    /// Reads `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
    ///
    /// @param source what the text is, for the message
    public static Address parse(String text, String source) {
        Matcher form = FORM.matcher(text);
        int port = form.matches() && form.group(2) != null ? Integer.parseInt(form.group(2)) : DEFAULT_PORT;
        if (!form.matches() || port == 0 || port > MOST) {
            throw new QuernException(
                    ExitCode.USAGE,
                    "%s must be HOST or HOST:PORT, [HOST]:PORT for IPv6: got %s".formatted(source, text));
        }
        return new Address(form.group(1).replaceAll("[\\[\\]]", ""), port);
    }

    @Override
    public String toString() {
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }
}
