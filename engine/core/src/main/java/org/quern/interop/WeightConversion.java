package org.quern.interop;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.CheckpointFile;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.NamedTensor.DType;
import org.quern.checkpoint.Safetensors;
import org.quern.checkpoint.TensorFiles;
import org.quern.checkpoint.TensorSpec;
import tools.jackson.databind.node.ObjectNode;

/// Writes a model's folder anew, with weights of another type or in files of another size, and without what only
/// training needs.
public final class WeightConversion {
    private static final String CONFIG = "config.json";

    /// What goes with the weights as it is, where it is there.
    private static final List<String> COPIED = List.of(
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "chat_template.jinja");

    private WeightConversion() {}

    /// @param to a folder that is empty or not there
    /// @param dtype F32 or BF16, which is rounded to nearest, ties to even
    /// @param maxBytes of a file, except of one with a single tensor
    /// @return the files of weights that were written
    /// @throws QuernException if the folder is in use, or a weight is no float
    public static TensorFiles convert(HuggingFaceFolder from, Path to, DType dtype, long maxBytes) {
        if (dtype != DType.F32 && dtype != DType.BF16) {
            throw new IllegalArgumentException("F32 or BF16, not " + dtype);
        }
        try (Arena arena = Arena.ofConfined()) {
            requireEmpty(to);
            Path target = to.toAbsolutePath();
            Path temporary = target.resolveSibling(".tmp-" + target.getFileName());
            Files.createDirectories(target.getParent());
            clear(temporary);
            Files.createDirectory(temporary);
            TensorFiles files = write(from.path(), temporary, dtype, maxBytes, arena);
            Files.deleteIfExists(target);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            return files;
        } catch (IOException e) {
            throw QuernException.io("%s cannot be written".formatted(to), e);
        }
    }

    private static void requireEmpty(Path to) throws IOException {
        if (!Files.exists(to)) {
            return;
        }
        if (!Files.isDirectory(to)) {
            throw QuernException.data("%s: expected a folder to write to, found a file".formatted(to));
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(to)) {
            if (files.iterator().hasNext()) {
                throw QuernException.data("%s: expected an empty or new folder, found files in it".formatted(to));
            }
        }
    }

    /// Removes what a killed conversion left.
    private static void clear(Path temporary) throws IOException {
        if (Files.isDirectory(temporary)) {
            try (Stream<Path> files = Files.list(temporary)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(temporary);
        }
    }

    private static TensorFiles write(Path from, Path to, DType dtype, long maxBytes, Arena arena) throws IOException {
        Map<TensorSpec, NamedTensor> tensors = new LinkedHashMap<>();
        long most = 0;
        for (NamedTensor tensor : Safetensors.readFolder(from, Checkpoint.MODEL, arena)) {
            TensorSpec spec = new TensorSpec(tensor.name(), dtype, tensor.shape());
            tensors.put(spec, tensor);
            most = Math.max(most, spec.bytes() / dtype.bytes());
        }
        MemorySegment floats = arena.allocate(most * Float.BYTES, Long.BYTES);
        TensorFiles files = TensorFiles.shared(Checkpoint.MODEL, List.copyOf(tensors.keySet()), maxBytes, 1);
        for (CheckpointFile file : files.files(0, spec -> converted(tensors.get(spec), dtype, floats))) {
            switch (file) {
                case CheckpointFile.Tensors part ->
                    Safetensors.write(to.resolve(part.name()), part.tensors(), part.memory());
                case CheckpointFile.Content part -> Files.write(to.resolve(part.name()), part.content());
            }
        }
        for (String name : COPIED) {
            if (Files.exists(from.resolve(name))) {
                Files.copy(from.resolve(name), to.resolve(name));
            }
        }
        ObjectNode config = (ObjectNode) Json.readObject(from.resolve(CONFIG));
        String name = dtype == DType.F32 ? "float32" : "bfloat16";
        // The key's older name is the one that all versions of transformers read.
        config.put("torch_dtype", name);
        if (config.has("dtype")) {
            config.put("dtype", name);
        }
        Files.write(to.resolve(CONFIG), Json.pretty(config));
        return files;
    }

    /// The elements of a tensor as another type.
    ///
    /// @param floats room for as many fp32 values
    private static MemorySegment converted(NamedTensor tensor, DType dtype, MemorySegment floats) {
        long count = tensor.data().byteSize() / tensor.dtype().bytes();
        MemorySegment values = floats.asSlice(0, count * Float.BYTES);
        tensor.copyToFloat(values);
        if (dtype == DType.F32) {
            return values;
        }
        for (long i = 0; i < count; i++) {
            int bits = values.getAtIndex(ValueLayout.JAVA_INT, i);
            // Each goes to a place that was read before.
            values.setAtIndex(ValueLayout.JAVA_SHORT, i, rounded(bits));
        }
        return values.asSlice(0, count * Short.BYTES);
    }

    /// The nearest bf16 to an fp32 value; of two, the even one.
    private static short rounded(int bits) {
        boolean isNan = (bits & 0x7fff_ffff) > 0x7f80_0000;
        return (short) (isNan ? bits >>> 16 | 0x40 : bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
