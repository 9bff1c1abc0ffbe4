package org.quern.checkpoint;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.base.Json;
import org.quern.base.QuernException;

/// What a checkpoint's folder must hold: `manifest.json`, which is written last.
///
/// @param step optimiser steps done
/// @param files every other file by its name
/// @param crc32c checksum of the manifest's own bytes with `00000000` in this place
record Manifest(long step, Map<String, Entry> files, String crc32c) {
    private static final String NO_CHECKSUM = "00000000";

    /// A file.
    ///
    /// @param bytes its size
    /// @param crc32c checksum of its bytes, in hexadecimal; of a file of tensors: of what is before these
    /// @param tensors the checksum of each tensor's bytes; empty if it holds no tensors
    record Entry(
            long bytes,
            String crc32c,
            @JsonInclude(JsonInclude.Include.NON_EMPTY) Map<String, String> tensors) {}

    /// The bytes of a manifest's file.
    static byte[] bytes(long step, Map<String, Entry> files) {
        byte[] bytes = Json.pretty(new Manifest(step, files, NO_CHECKSUM));
        return replaceLast(bytes, NO_CHECKSUM, DurableFile.checksum(MemorySegment.ofArray(bytes)));
    }

    /// Reads the manifest of a folder.
    ///
    /// @throws QuernException if it is missing or is not what was written
    static Manifest read(Path folder) {
        Path file = folder.resolve(Checkpoint.MANIFEST);
        Manifest manifest = Checkpoint.bind(Json.MAPPER, file, Manifest.class);
        if (manifest.files() == null || manifest.files().containsValue(null) || manifest.crc32c() == null) {
            throw QuernException.data("%s: expected files with their sizes and a checksum, found none".formatted(file));
        }
        try {
            byte[] bytes = replaceLast(Files.readAllBytes(file), manifest.crc32c(), NO_CHECKSUM);
            requireChecksum(file, manifest.crc32c(), DurableFile.checksum(MemorySegment.ofArray(bytes)));
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(file), e);
        }
        for (String name : manifest.files().keySet()) {
            if (!Path.of(name).equals(Path.of(name).getFileName())) {
                throw QuernException.data(
                        "%s: expected names of files in the same folder, found \"%s\"".formatted(file, name));
            }
        }
        return manifest;
    }

    private static void requireChecksum(Path file, String expected, String found) {
        if (!found.equals(expected)) {
            throw QuernException.data("%s: expected checksum %s, found %s".formatted(file, expected, found));
        }
    }

    private static byte[] replaceLast(byte[] bytes, String what, String with) {
        StringBuilder text = new StringBuilder(new String(bytes, StandardCharsets.ISO_8859_1));
        int at = text.lastIndexOf(what);
        return (at < 0 ? text : text.replace(at, at + what.length(), with))
                .toString()
                .getBytes(StandardCharsets.ISO_8859_1);
    }

    /// Bytes of all files that it names.
    long bytes() {
        return files.values().stream().mapToLong(Entry::bytes).sum();
    }

    /// Requires the files to be there with their sizes.
    void requireSizes(Path folder) {
        files.forEach((name, entry) -> {
            Path file = folder.resolve(name);
            try {
                if (!Files.isRegularFile(file)) {
                    throw QuernException.data(
                            "%s: expected %d bytes, found no such file".formatted(file, entry.bytes()));
                }
                if (Files.size(file) != entry.bytes()) {
                    throw QuernException.data(
                            "%s: expected %d bytes, found %d".formatted(file, entry.bytes(), Files.size(file)));
                }
            } catch (IOException e) {
                throw QuernException.io("%s could not be read".formatted(file), e);
            }
        });
    }

    /// Requires the files to be there with their bytes; all cores compute checksums, of a tensor each.
    void verify(Path folder) {
        requireSizes(folder);
        try (Arena arena = Arena.ofShared()) {
            List<Piece> pieces = new ArrayList<>();
            files.forEach((name, entry) -> pieces.addAll(pieces(folder.resolve(name), entry, arena)));
            pieces.parallelStream()
                    .map(Piece::damage)
                    .flatMap(Optional::stream)
                    .findFirst()
                    .ifPresent(damage -> {
                        throw QuernException.data(damage);
                    });
        }
    }

    /// Bytes that have a checksum.
    ///
    /// @param where the end of a sentence
    private record Piece(Path file, String where, MemorySegment bytes, String checksum) {
        Optional<String> damage() {
            String found = DurableFile.checksum(bytes);
            return found.equals(checksum)
                    ? Optional.empty()
                    : Optional.of("%s: expected checksum %s, found %s%s".formatted(file, checksum, found, where));
        }
    }

    private static List<Piece> pieces(Path file, Entry entry, Arena arena) {
        MemorySegment bytes;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            bytes = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(file), e);
        }
        if (entry.tensors() == null || entry.tensors().isEmpty()) {
            return List.of(new Piece(file, "", bytes, entry.crc32c()));
        }
        List<Piece> pieces = new ArrayList<>();
        long beforeTensors = bytes.byteSize();
        for (NamedTensor tensor : Safetensors.read(file, arena)) {
            beforeTensors -= tensor.data().byteSize();
            pieces.add(new Piece(
                    file,
                    ", in tensor " + tensor.name(),
                    tensor.data(),
                    entry.tensors().getOrDefault(tensor.name(), "none")));
        }
        pieces.addFirst(new Piece(file, ", in the header", bytes.asSlice(0, beforeTensors), entry.crc32c()));
        return pieces;
    }
}
