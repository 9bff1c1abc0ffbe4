package org.quern.corpus.filter;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.quern.base.QuernException;

/// What [UrlFilter] looks for in a URL. Lists are files of an entry a line, without empty ones and those
/// that begin with `#`; case does not count.
///
/// @param domains of which pages are dropped, of their subdomains too
/// @param urls exact addresses, without their scheme and a slash at the end
/// @param words that drop a page by standing in its URL, between characters that are neither letters nor
///     digits
/// @param softWords of which several must
/// @param parts that drop a page by standing anywhere among the letters and digits of its URL
public record UrlLists(
        HashedStrings domains, HashedStrings urls, List<String> words, List<String> softWords, List<String> parts) {
    /// Nothing is listed.
    public static UrlLists empty() {
        return new UrlLists(new HashedStrings(), new HashedStrings(), List.of(), List.of(), List.of());
    }

    /// A few dozen words of pornography, gambling and spam that Quern comes with; domains are the user's to
    /// list.
    public static UrlLists builtIn() {
        return new UrlLists(
                new HashedStrings(),
                new HashedStrings(),
                builtIn("banned-words.txt"),
                builtIn("soft-words.txt"),
                builtIn("banned-parts.txt"));
    }

    private static List<String> builtIn(String name) {
        try (InputStream in = UrlLists.class.getResourceAsStream(name);
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            return entries(lines.lines()).toList();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /// These lists and the domains and URLs of a folder as the University of Toulouse gives its lists out
    /// (UT1): a folder a category, with files `domains` and `urls`.
    ///
    /// @param categories the folders to read (`adult`, `malware`); empty for all
    /// @throws QuernException when a category is missing
    public UrlLists withToulouse(Path folder, List<String> categories) {
        HashedStrings allDomains = domains.copy();
        HashedStrings allUrls = urls.copy();
        for (Path category : categories(folder, categories)) {
            addAll(category.resolve("domains"), allDomains);
            addAll(category.resolve("urls"), allUrls);
        }
        return new UrlLists(allDomains, allUrls, words, softWords, parts);
    }

    /// These lists and those of a folder: `domains.txt`, `urls.txt`, `banned-words.txt`, `soft-words.txt`
    /// and `banned-parts.txt`, as far as they are there.
    public UrlLists with(Path folder) {
        HashedStrings allDomains = domains.copy();
        HashedStrings allUrls = urls.copy();
        addAll(folder.resolve("domains.txt"), allDomains);
        addAll(folder.resolve("urls.txt"), allUrls);
        return new UrlLists(
                allDomains,
                allUrls,
                joined(words, folder.resolve("banned-words.txt")),
                joined(softWords, folder.resolve("soft-words.txt")),
                joined(parts, folder.resolve("banned-parts.txt")));
    }

    private static List<Path> categories(Path folder, List<String> names) {
        if (names.isEmpty()) {
            try (Stream<Path> folders = Files.list(folder)) {
                return folders.filter(Files::isDirectory).sorted().toList();
            } catch (IOException e) {
                throw QuernException.io(folder + " cannot be listed", e);
            }
        }
        for (String name : names) {
            if (!Files.isDirectory(folder.resolve(name))) {
                throw QuernException.data("no category " + name + " in the block lists in " + folder);
            }
        }
        return names.stream().map(folder::resolve).toList();
    }

    private static void addAll(Path file, HashedStrings to) {
        try (Stream<String> entries = entries(file)) {
            entries.map(UrlFilter::address).forEach(to::add);
        }
    }

    private static List<String> joined(List<String> known, Path file) {
        List<String> all = new ArrayList<>(known);
        try (Stream<String> entries = entries(file)) {
            entries.forEach(all::add);
        }
        return all.stream().distinct().toList();
    }

    private static Stream<String> entries(Path file) {
        if (!Files.exists(file)) {
            return Stream.empty();
        }
        try {
            // UT1 has names in several encodings; none but ASCII ones can match.
            return entries(Files.lines(file, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            throw QuernException.io(file + " cannot be read", e);
        }
    }

    private static Stream<String> entries(Stream<String> lines) {
        return lines.map(line -> line.strip().toLowerCase(Locale.ROOT))
                .filter(line -> !line.isEmpty() && !line.startsWith("#"));
    }
}
