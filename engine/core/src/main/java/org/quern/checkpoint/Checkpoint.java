package org.quern.checkpoint;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
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
    public static final String MODEL = "model.safetensors";

    /// The optimiser's moments.
    public static final String OPTIMIZER = "optimizer.safetensors";

    /// Where the run was.
    public static final String STATE = "state.json";

    private static final JsonMapper STRICT = Json.MAPPER
            .rebuild()
            .enable(
                    DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES,
                    DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
                    DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    /// What a checkpoint's folder must hold: `manifest.json`.
    ///
    /// @param step optimiser steps done
    /// @param files every other file by its name
    record Manifest(long step, Map<String, Entry> files) {
        /// A file.
        ///
        /// @param bytes its size
        /// @param crc32c checksum of its bytes, in hexadecimal
        /// @param tensors the same of each tensor's bytes; empty if it holds no tensors
        record Entry(
                long bytes,
                String crc32c,
                @JsonInclude(JsonInclude.Include.NON_EMPTY) Map<String, String> tensors) {}
    }

    /// Opens a checkpoint after comparing all its files with its manifest.
    ///
    /// @throws QuernException naming the first file that is missing, truncated or altered
    public static Checkpoint open(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw QuernException.data("%s: expected the folder of a checkpoint, found none".formatted(folder));
        }
        Path manifestFile = folder.resolve(MANIFEST);
        Manifest manifest = bind(Json.MAPPER, manifestFile, Manifest.class);
        if (manifest.files() == null || manifest.files().containsValue(null)) {
            throw QuernException.data("%s: expected files with their sizes, found none".formatted(manifestFile));
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(DurableFile.CHUNK_BYTES);
        manifest.files().forEach((name, entry) -> verify(folder.resolve(name), entry, buffer));
        return new Checkpoint(folder, manifest.step());
    }

    /// Maps the tensors of one of its files into memory.
    public List<NamedTensor> tensors(String file, Arena arena) {
        return Safetensors.read(folder.resolve(file), arena);
    }

    /// Reads one of its JSON files into a record, whose fields it must have and no others: what another version
    /// wrote is not to be guessed.
    public <T> T json(String file, Class<T> type) {
        return bind(STRICT, folder.resolve(file), type);
    }

    private static <T> T bind(JsonMapper mapper, Path file, Class<T> type) {
        try {
            return mapper.treeToValue(Json.readObject(file), type);
        } catch (JacksonException e) {
            throw QuernException.data("%s: expected the fields of %s, found: %s"
                    .formatted(file, type.getSimpleName(), e.getOriginalMessage()));
        }
    }

    private static void verify(Path file, Manifest.Entry entry, ByteBuffer buffer) {
        if (!Files.isRegularFile(file)) {
            throw QuernException.data("%s: expected %d bytes, found no such file".formatted(file, entry.bytes()));
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() != entry.bytes()) {
                throw QuernException.data(
                        "%s: expected %d bytes, found %d".formatted(file, entry.bytes(), channel.size()));
            }
            CRC32C checksum = new CRC32C();
            while (channel.read(buffer.clear()) >= 0) {
                checksum.update(buffer.flip());
            }
            String found = DurableFile.hex(checksum);
            if (!found.equals(entry.crc32c())) {
                throw QuernException.data("%s: expected checksum %s, found %s%s"
                        .formatted(file, entry.crc32c(), found, damagedTensor(file, entry.tensors())));
            }
        } catch (IOException e) {
            throw QuernException.io("%s could not be read: %s".formatted(file, e), e);
        }
    }

    /// Which tensor of a damaged file differs, as the end of a sentence; empty if it holds none.
    private static String damagedTensor(Path file, Map<String, String> expected) {
        if (expected == null || expected.isEmpty()) {
            return "";
        }
        try (Arena arena = Arena.ofConfined()) {
            for (NamedTensor tensor : Safetensors.read(file, arena)) {
                if (!DurableFile.checksum(tensor.data()).equals(expected.get(tensor.name()))) {
                    return ", in tensor " + tensor.name();
                }
            }
            return ", between the tensors";
        } catch (QuernException e) {
            return ", in the header";
        }
    }
}
