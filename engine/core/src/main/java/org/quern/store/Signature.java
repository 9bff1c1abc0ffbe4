package org.quern.store;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// AWS Signature Version 4, as S3 uses it: each part of a path is encoded once, and the body's hash is signed.
///
/// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
///
/// @param region such as `eu-central-1`
/// @param time of the request
record Signature(Credentials credentials, String region, Instant time) {
    private static final String ALGORITHM = "AWS4-HMAC-SHA256";
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);
    private static final int DAY = 8;

    /// The headers of a signed request: those given, without the host, and what the signature needs.
    ///
    /// @param path encoded
    /// @param query of the request, not encoded
    /// @param headers to be sent, the host among them; names in small letters
    /// @param bodyHash SHA-256 of the body, in hexadecimal
    Map<String, String> headers(
            String method, String path, SortedMap<String, String> query, Map<String, String> headers, String bodyHash) {
        String now = TIME.format(time);
        SortedMap<String, String> signed = new TreeMap<>(headers);
        signed.put("x-amz-content-sha256", bodyHash);
        signed.put("x-amz-date", now);
        credentials.sessionToken().ifPresent(token -> signed.put("x-amz-security-token", token));
        String names = String.join(";", signed.keySet());
        String lines = signed.entrySet().stream()
                .map(header -> header.getKey() + ":" + header.getValue().strip() + "\n")
                .collect(Collectors.joining());
        String request = String.join("\n", method, path, query(query), lines, names, bodyHash);
        String day = now.substring(0, DAY);
        String scope = String.join("/", day, region, "s3", "aws4_request");
        String text = String.join("\n", ALGORITHM, now, scope, sha256(request.getBytes(StandardCharsets.UTF_8)));
        byte[] key = hmac(bytes("AWS4" + credentials.secretKey()), day);
        key = hmac(hmac(hmac(key, region), "s3"), "aws4_request");
        signed.put(
                "authorization",
                "%s Credential=%s/%s, SignedHeaders=%s, Signature=%s"
                        .formatted(
                                ALGORITHM,
                                credentials.accessKey(),
                                scope,
                                names,
                                HexFormat.of().formatHex(hmac(key, text))));
        signed.remove("host");
        return signed;
    }

    /// A query as it is sent, and signed.
    static String query(SortedMap<String, String> query) {
        return query.entrySet().stream()
                .map(entry -> encode(entry.getKey()) + "=" + encode(entry.getValue()))
                .collect(Collectors.joining("&"));
    }

    /// Encodes what is not a letter, a digit or one of `-._~`.
    static String encode(String text) {
        StringBuilder encoded = new StringBuilder();
        for (byte each : bytes(text)) {
            char letter = (char) (each & 0xFF);
            boolean plain = letter >= 'A' && letter <= 'Z'
                    || letter >= 'a' && letter <= 'z'
                    || letter >= '0' && letter <= '9'
                    || "-._~".indexOf(letter) >= 0;
            encoded.append(plain ? String.valueOf(letter) : String.format(Locale.ROOT, "%%%02X", (int) letter));
        }
        return encoded.toString();
    }

    /// SHA-256 in hexadecimal.
    static String sha256(byte[] bytes) {
        MessageDigest digest = sha256();
        digest.update(bytes);
        return HexFormat.of().formatHex(digest.digest());
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] hmac(byte[] key, String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(bytes(text));
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }
}
