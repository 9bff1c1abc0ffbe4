package org.quern.launcher;

import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/// `--only`: names by a part of them.
final class NamePattern {
    @Option(
            names = "--only",
            paramLabel = "PATTERN",
            description = "Those with this in their name; * stands for anything: \"matmul nt * bias\".")
    private Optional<String> pattern = Optional.empty();

    boolean matches(String name) {
        return pattern.isEmpty() || regex(pattern.get()).matcher(name).find();
    }

    private static Pattern regex(String pattern) {
        return Pattern.compile(
                Arrays.stream(pattern.split("\\*")).map(Pattern::quote).collect(Collectors.joining(".*")));
    }

    @Override
    public String toString() {
        return pattern.orElse("*");
    }
}
