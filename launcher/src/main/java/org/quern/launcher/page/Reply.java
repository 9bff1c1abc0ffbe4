package org.quern.launcher.page;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.quern.base.Json;

/// What a browser gets.
///
/// @param status of HTTP
/// @param type of the body, as `Content-Type`
/// @param headers besides those of all replies, or in place of them
public record Reply(int status, String type, byte[] body, Map<String, String> headers) {
    /// A line of text.
    public static Reply text(int status, String text) {
        return new Reply(status, "text/plain; charset=utf-8", (text + "\n").getBytes(StandardCharsets.UTF_8), Map.of());
    }

    /// Any value that Jackson writes.
    public static Reply json(Object value) {
        return new Reply(200, "application/json", Json.MAPPER.writeValueAsBytes(value), Map.of());
    }
}
