package org.quern.launcher;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Commands for people to type.
final class Shell {
    private static final Pattern PLAIN = Pattern.compile("[\\w@%+=:,./-]+");

    private Shell() {}

    /// This program, as it was called, with arguments.
    static String command(List<String> arguments) {
        return Stream.concat(Stream.of(System.getProperty("quern.command", "quern")), arguments.stream())
                .map(Shell::quoted)
                .collect(Collectors.joining(" "));
    }

    private static String quoted(String word) {
        return PLAIN.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
