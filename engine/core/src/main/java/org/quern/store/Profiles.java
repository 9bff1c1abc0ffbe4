package org.quern.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.base.QuernException;

/// A profile of `~/.aws/config` and `~/.aws/credentials`, the latter first.
///
/// @param name of the profile: `AWS_PROFILE`, or `default`
/// @param values of both files
record Profiles(String name, Map<String, String> values) {
    /// Reads the files that the environment names, if they are there.
    ///
    /// @throws QuernException if a profile is asked for by name, and is in neither
    static Profiles read(Map<String, String> environment) {
        Optional<String> asked = Optional.ofNullable(environment.get("AWS_PROFILE"));
        String name = asked.orElse("default");
        Path home = Path.of(environment.getOrDefault("HOME", System.getProperty("user.home")), ".aws");
        Path config = file(environment, "AWS_CONFIG_FILE", home.resolve("config"));
        Path keys = file(environment, "AWS_SHARED_CREDENTIALS_FILE", home.resolve("credentials"));
        Map<String, String> values = new HashMap<>();
        boolean found = section(config, name.equals("default") ? "default" : "profile " + name, values);
        found |= section(keys, name, values);
        if (asked.isPresent() && !found) {
            throw QuernException.data(
                    "AWS_PROFILE must be a profile of %s or %s: got %s".formatted(config, keys, name));
        }
        return new Profiles(name, values);
    }

    Optional<String> value(String key) {
        return Optional.ofNullable(values.get(key));
    }

    private static Path file(Map<String, String> environment, String variable, Path otherwise) {
        return Optional.ofNullable(environment.get(variable)).map(Path::of).orElse(otherwise);
    }

    /// Adds what a section of a file has. Settings of settings, which are indented, are passed over.
    private static boolean section(Path file, String name, Map<String, String> values) {
        boolean inside = false;
        boolean found = false;
        for (String line : lines(file)) {
            String text = line.strip();
            if (text.startsWith("[")) {
                inside = text.replaceAll("\\s+", " ")
                        .replaceAll("^\\[ ?| ?\\].*$", "")
                        .equals(name);
                found |= inside;
            } else if (inside && !text.isEmpty() && !text.startsWith("#") && !text.startsWith(";")) {
                int equals = text.indexOf('=');
                if (equals > 0 && !Character.isWhitespace(line.charAt(0))) {
                    values.put(
                            text.substring(0, equals).strip(),
                            text.substring(equals + 1).strip());
                }
            }
        }
        return found;
    }

    private static List<String> lines(Path file) {
        try {
            return Files.exists(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(file), e);
        }
    }
}
