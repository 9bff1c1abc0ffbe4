package org.quern.checkpoint;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.quern.base.Json;

/// A file to be written into a checkpoint.
public sealed interface CheckpointFile {
    /// Its name in the folder.
    String name();

    /// Bytes that it takes on disk.
    long bytes();

    /// A safetensors file, streamed from the tensors' memory.
    ///
    /// @param memory of a tensor, asked for when its turn comes
    record Tensors(String name, List<TensorSpec> tensors, Function<TensorSpec, MemorySegment> memory)
            implements CheckpointFile {

        public Tensors(String name, List<NamedTensor> tensors) {
            this(
                    name,
                    tensors.stream().map(NamedTensor::spec).toList(),
                    tensors.stream().collect(Collectors.toMap(NamedTensor::spec, NamedTensor::data))::get);
        }

        @Override
        public long bytes() {
            return Safetensors.bytes(tensors);
        }
    }

    /// A small file.
    record Content(String name, byte[] content) implements CheckpointFile {
        @Override
        public long bytes() {
            return content.length;
        }
    }

    /// A text file in UTF-8.
    static CheckpointFile text(String name, String text) {
        return new Content(name, text.getBytes(StandardCharsets.UTF_8));
    }

    /// A JSON file of a record, a map or a tree.
    static CheckpointFile json(String name, Object value) {
        return new Content(name, Json.pretty(value));
    }
}
