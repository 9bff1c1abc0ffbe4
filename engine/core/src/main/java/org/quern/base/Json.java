package org.quern.base;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// JSON, read strictly: a key that comes twice and text after the end are errors.
public final class Json {
    public static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private Json() {}

    /// Reads an object.
    ///
    /// @throws QuernException naming the file if it is missing, unreadable or no JSON object
    public static JsonNode readObject(Path file) {
        try {
            return parseObject(Files.readAllBytes(file), file.toString());
        } catch (NoSuchFileException e) {
            throw QuernException.data("%s: expected a file of JSON, found none".formatted(file));
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(file), e);
        }
    }

    /// Parses an object.
    ///
    /// @param source what the text is, for the message
    /// @throws QuernException if it is no JSON object
    public static JsonNode parseObject(byte[] utf8, String source) {
        try {
            JsonNode node = MAPPER.readTree(utf8);
            if (!node.isObject()) {
                throw QuernException.data("%s: expected a JSON object, found %s".formatted(source, node.getNodeType()));
            }
            return node;
        } catch (JacksonException e) {
            throw QuernException.data("%s: expected a JSON object, found %s (line %d, column %d)"
                    .formatted(
                            source,
                            e.getOriginalMessage(),
                            e.getLocation().getLineNr(),
                            e.getLocation().getColumnNr()));
        }
    }

    /// Human-readable JSON in UTF-8, ending with a line feed.
    public static byte[] pretty(Object value) {
        return (MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value) + "\n")
                .getBytes(StandardCharsets.UTF_8);
    }
}
