package org.quern.launcher;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/// `--only` and `--except`: names by a part of them.
final class NamePattern {
    @Option(
            names = "--only",
            paramLabel = "PATTERN",
            description = "Those with this in their name; * stands for anything: \"matmul nt * bias\";"
                    + " =NAME is a whole name.")
    private Optional<String> pattern = Optional.empty();

    @Option(
            names = "--except",
            paramLabel = "PATTERN",
            description = "But not those with this in their name. May be repeated.")
    private List<String> others = List.of();

    boolean matches(String name) {
        return (pattern.isEmpty() || isIn(name, pattern.get()))
                && others.stream().noneMatch(other -> isIn(name, other));
    }

    private static boolean isIn(String name, String pattern) {
        return pattern.startsWith("=")
                ? name.equals(pattern.substring(1))
                : regex(pattern).matcher(name).find();
    }

    private static Pattern regex(String pattern) {
        return Pattern.compile(
                Arrays.stream(pattern.split("\\*")).map(Pattern::quote).collect(Collectors.joining(".*")));
    }

    @Override
    public String toString() {
        return pattern.orElse("*") + (others.isEmpty() ? "" : ", but not " + String.join(" or ", others));
    }
}
