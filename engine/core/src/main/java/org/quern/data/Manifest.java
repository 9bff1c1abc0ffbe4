package org.quern.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

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

    private static final JsonMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(
                    DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
                    DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES,
                    DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .build();

    static Manifest read(Path folder) {
        Path file = folder.resolve(FILE);
        try {
            Manifest manifest = JSON.readValue(Files.readAllBytes(file), Manifest.class);
            if (!manifest.format.equals(FORMAT)) {
                throw TokenShard.wrong(file, "format \"" + FORMAT + "\"", "\"" + manifest.format + "\"");
            }
            TokenShard.expect(file, "version", VERSION, manifest.version);
            return manifest;
        } catch (NoSuchFileException e) {
            throw TokenShard.wrong(
                    file, "the manifest of a folder of tokens", "no such file: prepare the data, or prepare it again");
        } catch (JacksonException e) {
            throw TokenShard.wrong(
                    file, "the manifest of a folder of tokens", "something else: " + e.getOriginalMessage());
        } catch (IOException e) {
            throw QuernException.io(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    void write(Path folder) {
        try (OutputFile out = new OutputFile(folder.resolve(FILE))) {
            out.write(ByteBuffer.wrap(JSON.writeValueAsBytes(this)));
            out.commit();
        }
    }
}
