package org.quern.store;

import java.net.URI;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.quern.base.QuernException;

/// Where a store answers.
///
/// @param uri without a path at the end; empty: AWS
/// @param source what names it, for people
/// @param region of the signature
/// @param regionIsGiven whether somebody named it
record S3Endpoint(Optional<URI> uri, String source, String region, boolean regionIsGiven) {
    private static final String DEFAULT_REGION = "us-east-1";

    /// As `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION` or the profile say.
    static S3Endpoint of(Map<String, String> environment, Profiles profile) {
        Optional<String> region = first(environment, "AWS_REGION", "AWS_DEFAULT_REGION")
                .map(environment::get)
                .or(() -> profile.value("region"));
        Optional<String> name = first(environment, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
        String source = name.orElse("endpoint_url of profile " + profile.name());
        Optional<URI> uri = name.map(environment::get)
                .or(() -> profile.value("endpoint_url"))
                .map(text -> uri(text, source));
        return new S3Endpoint(uri, uri.isPresent() ? source : "AWS", region.orElse(DEFAULT_REGION), region.isPresent());
    }

    private static Optional<String> first(Map<String, String> environment, String... names) {
        return Stream.of(names)
                .filter(name -> !environment.getOrDefault(name, "").isBlank())
                .findFirst();
    }

    private static URI uri(String text, String source) {
        try {
            URI uri = URI.create(text.replaceAll("/+$", ""));
            String scheme = Optional.ofNullable(uri.getScheme()).orElse("").toLowerCase(Locale.ROOT);
            if (uri.getHost() != null
                    && uri.getUserInfo() == null
                    && (scheme.equals("http") || scheme.equals("https"))) {
                return uri;
            }
        } catch (IllegalArgumentException _) {
            // Told below.
        }
        throw QuernException.data(
                "%s must be an address such as https://storage.example.com:9000, without a user".formatted(source));
    }

    S3Endpoint in(String other) {
        return new S3Endpoint(uri, source, other, regionIsGiven);
    }

    /// The address of an object. Elsewhere than at AWS the bucket is part of the path, which all servers understand.
    ///
    /// @param key the encoded key; empty: the bucket's
    /// @param query encoded; empty: none
    URI address(String bucket, String key, String query) {
        boolean inPath = uri.isPresent() || bucket.contains(".");
        String host = uri.map(URI::toString)
                .orElseGet(() -> "https://%ss3.%s.amazonaws.com%s"
                        .formatted(inPath ? "" : bucket + ".", region, region.startsWith("cn-") ? ".cn" : ""));
        return URI.create(host
                + (inPath ? "/" + bucket : "")
                + (key.isEmpty() && inPath ? "" : "/")
                + key
                + (query.isEmpty() ? "" : "?" + query));
    }

    /// For people.
    @Override
    public String toString() {
        return uri.map(each -> "%s (%s)".formatted(each, source)).orElse("AWS in " + region);
    }
}
