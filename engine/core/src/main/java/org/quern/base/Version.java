package org.quern.base;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/// Which Quern this is.
///
/// @param version of the project
/// @param commit full git hash of the sources, or "unknown" when it was built outside a git checkout
/// @param modified whether the sources differed from that commit
public record Version(String version, String commit, boolean modified) {
    private static final Version CURRENT = read();

    public static Version current() {
        return CURRENT;
    }

    /// For people, e.g. `0.1.0 (1a2b3c4d5e6f, modified)`.
    @Override
    public String toString() {
        return "%s (%s%s)"
                .formatted(version, commit.substring(0, Math.min(12, commit.length())), modified ? ", modified" : "");
    }

    private static Version read() {
        Properties properties = new Properties();
        try (InputStream in = Version.class.getResourceAsStream("version.properties")) {
            if (in != null) {
                properties.load(in);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new Version(
                properties.getProperty("git.build.version", "unknown"),
                properties.getProperty("git.commit.id.full", "unknown"),
                Boolean.parseBoolean(properties.getProperty("git.dirty")));
    }
}
