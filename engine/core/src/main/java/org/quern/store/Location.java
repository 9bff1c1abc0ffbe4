package org.quern.store;

import java.nio.file.Path;
import java.util.Optional;

/// A file, a folder or a pattern, of this machine's files or, as `s3://bucket/key`, of a store's objects.
public final class Location {
    private static final String SCHEME = "s3://";

    private final String text;

    private Location(String text) {
        this.text = text;
    }

    public static Location of(Path path) {
        return new Location(path.toString());
    }

    /// @param text for which [#problem(String)] is empty
    public static Location stored(String text) {
        return new Location(text);
    }

    /// Why `s3://bucket/key` is no location: the end of a sentence.
    public static Optional<String> problem(String text) {
        return StorePlace.problem(SCHEME + new Location(text).bucket());
    }

    /// Whether it is a store's.
    public boolean isStored() {
        return StorePlace.isPlace(text);
    }

    /// The bucket of one in a store.
    public String bucket() {
        return text.substring(SCHEME.length()).split("/", 2)[0];
    }

    /// The key, or its pattern, of one in a store; empty: the whole bucket.
    public String key() {
        return text.substring(Math.min(text.length(), SCHEME.length() + bucket().length() + 1));
    }

    /// The path of one that is not in a store.
    public Path path() {
        return Path.of(text);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Location location && location.text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    @Override
    public String toString() {
        return text;
    }
}
