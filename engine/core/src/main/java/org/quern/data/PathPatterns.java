package org.quern.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.quern.base.QuernException;

/// Finds the files that a config names.
public final class PathPatterns {
    private PathPatterns() {}

    /// The files ending in one of `suffixes` that `patterns` name: a file, a folder (at any depth) or a glob such as
    /// `books/*.jsonl.gz`. In the order of the patterns, sorted by path within one, each file once. A pattern that
    /// names none is a [QuernException] (data).
    public static List<Path> files(List<Path> patterns, List<String> suffixes) {
        LinkedHashSet<Path> files = new LinkedHashSet<>();
        for (Path pattern : patterns) {
            Collection<Path> matches = matches(pattern.normalize(), suffixes);
            if (matches.isEmpty()) {
                throw QuernException.data("%s: expected files ending in one of %s, found %s"
                        .formatted(
                                pattern, suffixes, Files.exists(pattern) || isGlob(pattern) ? "none" : "no such file"));
            }
            files.addAll(matches);
        }
        return List.copyOf(files);
    }

    /// Whether one of `patterns` names no file, with which [#files] would fail.
    public static boolean anyMissing(List<Path> patterns, List<String> suffixes) {
        return patterns.stream()
                .anyMatch(pattern -> matches(pattern.normalize(), suffixes).isEmpty());
    }

    private static Collection<Path> matches(Path pattern, List<String> suffixes) {
        // A file may be called like a glob.
        boolean literal = Files.exists(pattern) || !isGlob(pattern);
        PathMatcher matcher = literal ? _ -> true : pattern.getFileSystem().getPathMatcher("glob:" + pattern);
        Path root = literal ? pattern : fixedFolder(pattern);
        TreeSet<Path> matches = new TreeSet<>(Comparator.comparing(Path::toString));
        if (Files.exists(root)) {
            try (Stream<Path> tree = Files.walk(root)) {
                tree.map(Path::normalize)
                        .filter(path -> suffixes.stream().anyMatch(path.toString()::endsWith))
                        .filter(path -> matcher.matches(path) && Files.isRegularFile(path))
                        .forEach(matches::add);
            } catch (IOException e) {
                throw QuernException.io(root + ": cannot be listed", e);
            }
        }
        return matches;
    }

    private static boolean isGlob(Path path) {
        return isGlob(path.toString());
    }

    /// Whether a path or key is a pattern.
    public static boolean isGlob(String text) {
        return text.matches(".*[*?\\[{].*");
    }

    /// The deepest folder above all matches of a glob.
    private static Path fixedFolder(Path glob) {
        Path folder = glob;
        while (folder != null && isGlob(folder)) {
            folder = folder.getParent();
        }
        return folder == null ? Path.of("") : folder;
    }
}
