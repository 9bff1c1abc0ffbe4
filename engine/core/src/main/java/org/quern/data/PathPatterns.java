package org.quern.data;

import java.io.IOException;
import java.nio.file.FileSystems;
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

    /// The files ending in one of `suffixes` that `patterns` name, relative to `base`: a file, a folder (at any
    /// depth) or a glob such as `books/*.jsonl.gz`. In the order of the patterns, sorted by path within one,
    /// each file once. A pattern that names none is a [QuernException] (data).
    public static List<Path> files(List<String> patterns, Path base, List<String> suffixes) {
        LinkedHashSet<Path> files = new LinkedHashSet<>();
        for (String pattern : patterns) {
            Path path = base.resolve(pattern).normalize();
            Collection<Path> matches = matches(pattern, base, suffixes);
            if (matches.isEmpty()) {
                throw QuernException.data("%s: expected files ending in one of %s, found %s"
                        .formatted(path, suffixes, isGlob(pattern) || Files.exists(path) ? "none" : "no such file"));
            }
            files.addAll(matches);
        }
        return List.copyOf(files);
    }

    private static Collection<Path> matches(String pattern, Path base, List<String> suffixes) {
        PathMatcher matcher = isGlob(pattern)
                ? FileSystems.getDefault()
                        .getPathMatcher("glob:" + base.resolve(pattern).normalize())
                : _ -> true;
        Path root = isGlob(pattern) ? base.resolve(fixedFolder(pattern)) : base.resolve(pattern);
        TreeSet<Path> matches = new TreeSet<>(Comparator.comparing(Path::toString));
        if (Files.exists(root)) {
            try (Stream<Path> tree = Files.walk(root.normalize())) {
                tree.filter(path -> suffixes.stream().anyMatch(path.toString()::endsWith))
                        .filter(path -> matcher.matches(path) && Files.isRegularFile(path))
                        .forEach(matches::add);
            } catch (IOException e) {
                throw QuernException.io(root + ": cannot be listed: " + e.getMessage(), e);
            }
        }
        return matches;
    }

    private static boolean isGlob(String pattern) {
        return pattern.matches(".*[*?\\[{].*");
    }

    /// The deepest folder above all matches of a glob.
    private static String fixedFolder(String glob) {
        String fixed = glob.split("[*?\\[{]", 2)[0];
        return fixed.substring(0, fixed.lastIndexOf('/') + 1);
    }
}
