package org.quern.checkpoint;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/// A checkpoint on disk whose files are all there and have the bytes that were written.
///
/// @param folder its folder, such as `checkpoints/step-00001000`
/// @param step optimiser steps done
public record Checkpoint(Path folder, long step) {
    /// The list of its files, which only a checkpoint has.
    public static final String MANIFEST = "manifest.json";

    /// The weights, under Hugging Face's names and shapes.
    public static final String MODEL = "model";

    /// The optimiser's moments.
    public static final String OPTIMIZER = "optimizer";

    /// Where the run was.
    public static final String STATE = "state.json";

    private static final JsonMapper STRICT = Json.MAPPER
            .rebuild()
            .enable(
                    DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES,
                    DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
                    DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    /// Opens a checkpoint after comparing all its files with its manifest.
    ///
    /// @throws QuernException naming the first file that is missing, truncated or altered
    public static Checkpoint open(Path folder) {
        Manifest manifest = manifest(folder);
        manifest.verify(folder);
        return new Checkpoint(folder, manifest.step());
    }

    /// Opens a checkpoint after comparing no more than the sizes of its files: it may be damaged.
    ///
    /// @throws QuernException naming the first file that is missing or truncated
    public static Checkpoint glance(Path folder) {
        Manifest manifest = manifest(folder);
        manifest.requireSizes(folder);
        return new Checkpoint(folder, manifest.step());
    }

    private static Manifest manifest(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw QuernException.data("%s: expected the folder of a checkpoint, found none".formatted(folder));
        }
        return Manifest.read(folder);
    }

    /// Bytes of all its files.
    public long bytes() {
        return manifest(folder).bytes();
    }

    /// The names of its files, and their bytes.
    public Map<String, Long> files() {
        Map<String, Long> files = new LinkedHashMap<>();
        manifest(folder).files().forEach((name, entry) -> files.put(name, entry.bytes()));
        return files;
    }

    /// Maps tensors into memory.
    ///
    /// @param base `MODEL` or `OPTIMIZER`
    public List<NamedTensor> tensors(String base, Arena arena) {
        return Safetensors.readFolder(folder, base, arena);
    }

    /// Reads one of its JSON files into a record, whose fields it must have and no others: what another version
    /// wrote is not to be guessed.
    public <T> T json(String file, Class<T> type) {
        return bind(STRICT, folder.resolve(file), type);
    }

    static <T> T bind(JsonMapper mapper, Path file, Class<T> type) {
        try {
            return mapper.treeToValue(Json.readObject(file), type);
        } catch (JacksonException e) {
            throw QuernException.data("%s: expected the fields of %s, found: %s"
                    .formatted(file, type.getSimpleName(), e.getOriginalMessage()));
        }
    }
}
