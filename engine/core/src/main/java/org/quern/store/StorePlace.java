package org.quern.store;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.QuernException;

/// A place in an object store: `s3://bucket/prefix`.
///
/// @param bucket its name
/// @param prefix what the keys of its objects begin with: empty, or a path that ends with `/`
public record StorePlace(String bucket, String prefix) {
    private static final String SCHEME = "s3://";
    private static final Pattern PLACE =
            Pattern.compile(SCHEME + "([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()=+/-]*))?");

    /// Whether a text names a place in a store rather than a file.
    public static boolean isPlace(String text) {
        return text.startsWith(SCHEME);
    }

    /// Reads `s3://bucket/prefix`.
    ///
    /// @throws QuernException if it is something else
    public static StorePlace parse(String text) {
        problem(text).ifPresent(problem -> {
            throw QuernException.data("a place in an object store " + problem);
        });
        Matcher place = PLACE.matcher(text);
        if (!place.matches()) {
            throw new IllegalStateException();
        }
        String path = Optional.ofNullable(place.group(2)).orElse("").replaceAll("/+$", "");
        return new StorePlace(place.group(1), path.isEmpty() ? "" : path + "/");
    }

    /// Why a text is not `s3://bucket/prefix`: the end of a sentence. What looks like a password is not repeated.
    public static Optional<String> problem(String text) {
        if (text.contains("@")) {
            return Optional.of("must be s3://BUCKET/PREFIX without keys or passwords, which are taken from the"
                    + " environment or from ~/.aws: remove what is before the @");
        }
        Matcher place = PLACE.matcher(text);
        if (!place.matches()) {
            return Optional.of("must be s3://BUCKET/PREFIX, the bucket in small letters, digits, dots and hyphens:"
                    + " got " + text);
        }
        String path = Optional.ofNullable(place.group(2)).orElse("");
        return path.startsWith("/") || path.contains("//") || ("/" + path + "/").contains("/../")
                ? Optional.of("must have no empty part and no .. in its prefix: got " + text)
                : Optional.empty();
    }

    /// A place below this one.
    public StorePlace resolve(String folder) {
        return new StorePlace(bucket, prefix + folder + "/");
    }

    /// As it is written, without a slash at the end.
    @Override
    public String toString() {
        return (SCHEME + bucket + "/" + prefix).replaceAll("/$", "");
    }
}
