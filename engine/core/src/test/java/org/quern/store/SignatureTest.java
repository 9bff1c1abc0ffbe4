package org.quern.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/// The examples of
/// [Amazon](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
class SignatureTest {
    private static final SortedMap<String, String> NO_QUERY = new TreeMap<>();

    private final Signature signature = new Signature(
            new Credentials(
                    "AKIAIOSFODNN7EXAMPLE",
                    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                    Optional.empty(),
                    Optional.empty(),
                    "the example"),
            "us-east-1",
            Instant.parse("2013-05-24T00:00:00Z"));

    private String of(
            String method, String path, SortedMap<String, String> query, Map<String, String> headers, String body) {
        SortedMap<String, String> all = new TreeMap<>(headers);
        all.put("host", "examplebucket.s3.amazonaws.com");
        String hash = Signature.sha256(body.getBytes(StandardCharsets.UTF_8));
        return signature.headers(method, path, query, all, hash).get("authorization");
    }

    @Test
    void readsARange() {
        assertThat(of("GET", "/test.txt", NO_QUERY, Map.of("range", "bytes=0-9"), ""))
                .isEqualTo("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                        + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                        + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    }

    @Test
    void writes() {
        assertThat(of(
                        "PUT",
                        "/" + Signature.encode("test$file.text"),
                        NO_QUERY,
                        Map.of(
                                "date", "Fri, 24 May 2013 00:00:00 GMT",
                                "x-amz-storage-class", "REDUCED_REDUNDANCY"),
                        "Welcome to Amazon S3."))
                .endsWith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    }

    @Test
    void lists() {
        assertThat(of("GET", "/", new TreeMap<>(Map.of("prefix", "J", "max-keys", "2")), Map.of(), ""))
                .endsWith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    }

    @Test
    void keysAreNotShown() {
        assertThat(signature.toString()).doesNotContain("wJalr").contains("..MPLE (the example)");
    }
}
