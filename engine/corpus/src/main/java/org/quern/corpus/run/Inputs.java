package org.quern.corpus.run;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.quern.base.QuernException;
import org.quern.corpus.archive.PageReader;
import org.quern.data.PathPatterns;
import org.quern.store.Location;
import org.quern.store.ObjectStore;
import org.quern.store.StoredObject;
import org.quern.store.Stores;

/// The files that an input of a config names: a file, a folder (at any depth) or a pattern, here or in a store.
final class Inputs {
    private Inputs() {}

    /// A file.
    ///
    /// @param name its path below the folder that the input names
    /// @param place its path, or `s3://bucket/key`
    /// @param version another one for another content: when it was written, or the store's ETag
    record Found(String name, String place, long size, String version) {}

    /// In the order of their paths.
    ///
    /// @throws QuernException if there are none
    static List<Found> find(Location input, Stores stores) {
        return input.isStored() ? inStore(input, stores) : here(input.path());
    }

    private static List<Found> here(Path input) {
        Path folder = input;
        while (!Files.isDirectory(folder)) {
            folder = folder.getParent();
        }
        List<Found> found = new ArrayList<>();
        for (Path file : PathPatterns.files(List.of(input), PageReader.SUFFIXES)) {
            try {
                String name = folder.normalize().relativize(file).toString();
                String modified = Files.getLastModifiedTime(file).toString();
                found.add(new Found(name, file.toString(), Files.size(file), modified));
            } catch (IOException e) {
                throw QuernException.io(file + ": cannot be read", e);
            }
        }
        return found;
    }

    /// A key that ends like a file is one; without a pattern, any other is a folder.
    private static List<Found> inStore(Location input, Stores stores) {
        String key = input.key();
        boolean isPattern = PathPatterns.isGlob(key);
        boolean isFile = PageReader.SUFFIXES.stream().anyMatch(key::endsWith);
        String literal = isPattern ? key.split("[*?\\[{]", 2)[0] : key;
        String prefix = isPattern || isFile || key.isEmpty() || key.endsWith("/") ? literal : key + "/";
        String folder = prefix.substring(0, prefix.lastIndexOf('/') + 1);
        PathMatcher matcher = isPattern
                ? FileSystems.getDefault().getPathMatcher("glob:" + key)
                : path -> !isFile || path.toString().equals(key);
        ObjectStore store = stores.bucket(input.bucket());
        List<Found> found = store.list(prefix).stream()
                .filter(object -> PageReader.SUFFIXES.stream().anyMatch(object.key()::endsWith))
                .filter(object -> matcher.matches(Path.of(object.key())))
                .sorted(Comparator.comparing(StoredObject::key))
                .map(object -> new Found(
                        object.key().substring(folder.length()),
                        "s3://%s/%s".formatted(input.bucket(), object.key()),
                        object.bytes(),
                        object.etag()))
                .toList();
        if (found.isEmpty()) {
            throw QuernException.data("%s: expected objects whose keys end in one of %s, found none"
                    .formatted(input, PageReader.SUFFIXES));
        }
        return found;
    }
}
