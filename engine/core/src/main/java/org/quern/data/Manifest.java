package org.quern.data;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.quern.base.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.annotation.JsonNaming;

/// `manifest.json` of a folder of token shards. Written last: a folder without it is not finished.
///
/// @param format `quern tokens`
/// @param version of the format, 1
/// @param recipe SHA-256 of all that the tokens are a function of; see [PrepareData]
/// @param tokenizer SHA-256 of the tokenizer
/// @param vocabSize tokens are below this
/// @param endOfText the token before each document
/// @param tokenBytes bytes a token: 2 or 4
/// @param tokens in all shards
/// @param documents in all shards
/// @param textBytes UTF-8 bytes of the documents
/// @param shards in order
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
record Manifest(
        String format,
        int version,
        String recipe,
        String tokenizer,
        int vocabSize,
        int endOfText,
        int tokenBytes,
        long tokens,
        long documents,
        long textBytes,
        List<Shard> shards) {
    static final String FILE = "manifest.json";
    static final String FORMAT = "quern tokens";
    static final int VERSION = 1;

    /// @param crc32c of the tokens, 8 hexadecimal digits
    record Shard(String file, long tokens, long documents, String crc32c) {}

    private static final ObjectReader READER = Json.MAPPER
            .readerFor(Manifest.class)
            .with(
                    DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
                    DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES,
                    DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    TokenKind kind() {
        return new TokenKind(tokenizer, vocabSize, endOfText);
    }

    static Manifest read(Path folder) {
        Path file = folder.resolve(FILE);
        JsonNode json = Json.readObject(file);
        if (!json.path("format").asString("").equals(FORMAT)) {
            throw TokenShard.wrong(
                    file,
                    "a manifest with format \"" + FORMAT + "\"",
                    json.path("format").toString());
        }
        TokenShard.expect(file, "version", VERSION, json.path("version").asInt(0));
        try {
            return READER.readValue(json);
        } catch (JacksonException e) {
            throw TokenShard.wrong(file, "a manifest of token shards", e.getOriginalMessage());
        }
    }

    void write(Path folder) {
        try (OutputFile out = new OutputFile(folder.resolve(FILE))) {
            out.write(ByteBuffer.wrap(Json.pretty(this)));
            out.commit();
        }
    }
}
