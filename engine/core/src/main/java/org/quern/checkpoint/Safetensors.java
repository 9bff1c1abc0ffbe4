package org.quern.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.checkpoint.NamedTensor.DType;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The safetensors format: the length of a header (u64, little-endian), the header (a JSON object that gives each
/// tensor's `dtype`, `shape` and `data_offsets`), then the tensors' bytes without gaps.
/// See <https://github.com/huggingface/safetensors>.
public final class Safetensors {
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int LENGTH_BYTES = Long.BYTES;
    private static final int ALIGNMENT = 8;
    // The limit that the format's own reader has.
    private static final long MAX_HEADER_BYTES = 100_000_000;
    private static final String METADATA = "__metadata__";

    private Safetensors() {}

    /// Maps a file's tensors into memory, whatever its size.
    ///
    /// @param arena how long the tensors are used
    /// @return the tensors in the order of their bytes
    /// @throws QuernException if the file is missing, truncated or breaks the format
    public static List<NamedTensor> read(Path file, Arena arena) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size < LENGTH_BYTES) {
                throw bad(file, "a file of at least 8 bytes", size + " bytes");
            }
            MemorySegment bytes = channel.map(MapMode.READ_ONLY, 0, size, arena);
            long headerBytes = bytes.get(LENGTH, 0);
            if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES) {
                throw bad(file, "a header of 2 to %d bytes".formatted(MAX_HEADER_BYTES), headerBytes + " bytes");
            }
            if (headerBytes > size - LENGTH_BYTES) {
                throw bad(file, "a header of %d bytes".formatted(headerBytes), size - LENGTH_BYTES + " bytes left");
            }
            byte[] json = bytes.asSlice(LENGTH_BYTES, headerBytes).toArray(ValueLayout.JAVA_BYTE);
            JsonNode header = Json.parseObject(json, file + " (header)");
            return tensors(file, header, bytes.asSlice(LENGTH_BYTES + headerBytes));
        } catch (NoSuchFileException e) {
            throw QuernException.data("%s: expected a safetensors file, found none".formatted(file));
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(file), e);
        }
    }

    /// Maps the tensors of a folder into memory: of `model.safetensors`, or of the parts that
    /// `model.safetensors.index.json` names. What is not touched is not read from the disk.
    ///
    /// @param base such as `model`
    /// @throws QuernException also if the parts do not hold exactly the tensors of the index
    public static List<NamedTensor> readFolder(Path folder, String base, Arena arena) {
        Path index = folder.resolve(TensorFiles.index(base));
        if (!Files.exists(index)) {
            return read(folder.resolve(base + ".safetensors"), arena);
        }
        Map<String, String> expected = new LinkedHashMap<>();
        JsonNode weights = Json.readObject(index).path("weight_map");
        if (!weights.isObject()) {
            throw bad(index, "an object weight_map", weights.getNodeType().toString());
        }
        weights.properties()
                .forEach(entry -> expected.put(entry.getKey(), entry.getValue().asString("")));
        List<NamedTensor> tensors = new ArrayList<>();
        for (String part : new TreeSet<>(expected.values())) {
            if (!Path.of(part).equals(Path.of(part).getFileName())) {
                throw bad(index, "names of files in the same folder", '"' + part + '"');
            }
            Path file = folder.resolve(part);
            for (NamedTensor tensor : read(file, arena)) {
                if (!part.equals(expected.remove(tensor.name()))) {
                    throw bad(file, "the tensors that %s names".formatted(index.getFileName()), tensor.name());
                }
                tensors.add(tensor);
            }
        }
        if (!expected.isEmpty()) {
            throw bad(index, "files with all its tensors", "none of " + String.join(", ", expected.keySet()));
        }
        return tensors;
    }

    /// Writes tensors in the order given and waits until the disk has them.
    public static void write(Path file, List<NamedTensor> tensors) throws IOException {
        Map<TensorSpec, MemorySegment> memory = new HashMap<>();
        tensors.forEach(tensor -> memory.put(tensor.spec(), tensor.data()));
        write(file, tensors.stream().map(NamedTensor::spec).toList(), memory::get);
    }

    /// The same.
    ///
    /// @param memory of a tensor, asked for when its turn comes
    public static void write(Path file, List<TensorSpec> tensors, Function<TensorSpec, MemorySegment> memory)
            throws IOException {
        try (DurableFile out = new DurableFile(file)) {
            write(out, tensors, memory);
        }
    }

    /// @return the checksums
    static Manifest.Entry write(DurableFile out, List<TensorSpec> tensors, Function<TensorSpec, MemorySegment> memory)
            throws IOException {
        String header = out.write(MemorySegment.ofArray(header(tensors)));
        SavePoint.FILE_BEGUN.reached();
        Map<String, String> checksums = new LinkedHashMap<>();
        for (TensorSpec tensor : tensors) {
            checksums.put(tensor.name(), out.write(memory.apply(tensor)));
        }
        return new Manifest.Entry(bytes(tensors), header, checksums);
    }

    /// Bytes of the file that these tensors make.
    static long bytes(List<TensorSpec> tensors) {
        return header(tensors).length
                + tensors.stream().mapToLong(TensorSpec::bytes).sum();
    }

    /// Length and header, padded with spaces so that the tensors are aligned.
    private static byte[] header(List<TensorSpec> tensors) {
        ObjectNode header = Json.MAPPER.createObjectNode();
        header.putObject(METADATA).put("format", "pt");
        long offset = 0;
        for (TensorSpec tensor : tensors) {
            if (header.has(tensor.name())) {
                throw new IllegalArgumentException("two tensors are named " + tensor.name());
            }
            ObjectNode entry = header.putObject(tensor.name());
            entry.put("dtype", tensor.dtype().name());
            entry.putPOJO("shape", tensor.shape());
            long end = offset + tensor.bytes();
            entry.putPOJO("data_offsets", List.of(offset, end));
            offset = end;
        }
        byte[] json = Json.MAPPER.writeValueAsBytes(header);
        int padded = Math.ceilDiv(json.length, ALIGNMENT) * ALIGNMENT;
        ByteBuffer bytes = ByteBuffer.allocate(LENGTH_BYTES + padded).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(padded).put(json);
        while (bytes.hasRemaining()) {
            bytes.put((byte) ' ');
        }
        return bytes.array();
    }

    private static List<NamedTensor> tensors(Path file, JsonNode header, MemorySegment data) {
        record Entry(String name, DType dtype, List<Long> shape, long begin, long end) {}
        List<Entry> entries = new ArrayList<>();
        for (Map.Entry<String, JsonNode> field : header.properties()) {
            String name = field.getKey();
            JsonNode entry = field.getValue();
            if (name.equals(METADATA)) {
                continue;
            }
            List<Long> shape = sizes(file, name, entry, "shape");
            List<Long> offsets = sizes(file, name, entry, "data_offsets");
            if (offsets.size() != 2) {
                throw bad(file, "two data_offsets of " + name, offsets.toString());
            }
            DType dtype = dtype(file, name, entry.path("dtype").asString(""));
            long begin = offsets.get(0);
            long end = offsets.get(1);
            if (end < begin || end - begin != bytes(file, name, dtype, shape)) {
                throw bad(file, "%s to take the bytes of %s %s".formatted(name, dtype, shape), "bytes " + offsets);
            }
            entries.add(new Entry(name, dtype, shape, begin, end));
        }
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long end = 0;
        for (Entry entry : entries) {
            if (entry.begin() != end) {
                throw bad(file, "%s at byte %d".formatted(entry.name(), end), "byte " + entry.begin());
            }
            end = entry.end();
        }
        if (end != data.byteSize()) {
            throw bad(file, end + " bytes of tensors", data.byteSize() + " bytes");
        }
        return entries.stream()
                .map(e -> new NamedTensor(e.name(), e.dtype(), e.shape(), data.asSlice(e.begin(), e.end() - e.begin())))
                .toList();
    }

    private static List<Long> sizes(Path file, String name, JsonNode entry, String key) {
        JsonNode array = entry.path(key);
        List<Long> sizes = new ArrayList<>();
        for (JsonNode size : array) {
            if (!size.isIntegralNumber() || !size.canConvertToLong() || size.asLong() < 0) {
                throw bad(file, "whole numbers as %s of %s".formatted(key, name), array.toString());
            }
            sizes.add(size.asLong());
        }
        if (!array.isArray()) {
            throw bad(file, "an array %s of %s".formatted(key, name), array.toString());
        }
        return sizes;
    }

    private static DType dtype(Path file, String name, String dtype) {
        try {
            return DType.valueOf(dtype);
        } catch (IllegalArgumentException e) {
            throw bad(file, "one of %s as dtype of %s".formatted(List.of(DType.values()), name), '"' + dtype + '"');
        }
    }

    private static long bytes(Path file, String name, DType dtype, List<Long> shape) {
        try {
            return new TensorSpec(name, dtype, shape).bytes();
        } catch (ArithmeticException e) {
            throw bad(file, "%s to fit into memory".formatted(name), dtype + " " + shape);
        }
    }

    private static QuernException bad(Path file, String expected, String found) {
        return QuernException.data("%s: expected %s, found %s".formatted(file, expected, found));
    }
}
