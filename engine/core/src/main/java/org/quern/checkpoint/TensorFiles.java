package org.quern.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;

/// The files of the weights or of the moments, in Hugging Face's layout: `model.safetensors`, or
/// `model-00001-of-00003.safetensors` and so on with a `model.safetensors.index.json` that says which tensor is where.
///
/// Tensors are never cut. So whoever reads needs not know how many workers wrote which file, and opens only those that
/// hold what it wants.
///
/// @param base such as `model`
public record TensorFiles(String base, List<Part> parts) {
    /// The size of a file of a checkpoint, where its tensors let it be that small.
    public static final long MAX_BYTES = 4L << 30;

    /// A file.
    ///
    /// @param writer the worker that writes it
    public record Part(String name, int writer, List<TensorSpec> tensors) {
        long bytes() {
            return tensors.stream().mapToLong(TensorSpec::bytes).sum();
        }
    }

    public TensorFiles {
        parts = List.copyOf(parts);
    }

    /// Files of tensors that all workers have, dealt out to them.
    ///
    /// @param maxBytes of a file, except of one with a single tensor
    public static TensorFiles shared(String base, List<TensorSpec> tensors, long maxBytes, int workers) {
        List<List<TensorSpec>> files = cut(tensors, maxBytes);
        return named(
                base,
                files,
                IntStream.range(0, files.size()).map(i -> i % workers).toArray());
    }

    /// Files of tensors of which each is at one worker.
    ///
    /// @param owner the worker
    public static TensorFiles owned(
            String base, List<TensorSpec> tensors, long maxBytes, ToIntFunction<TensorSpec> owner) {
        Map<Integer, List<TensorSpec>> byOwner = new TreeMap<>();
        tensors.forEach(tensor -> byOwner.computeIfAbsent(owner.applyAsInt(tensor), _ -> new ArrayList<>())
                .add(tensor));
        List<List<TensorSpec>> files = new ArrayList<>();
        List<Integer> writers = new ArrayList<>();
        byOwner.forEach((worker, mine) -> cut(mine, maxBytes).forEach(file -> {
            files.add(file);
            writers.add(worker);
        }));
        return named(base, files, writers.stream().mapToInt(Integer::intValue).toArray());
    }

    private static List<List<TensorSpec>> cut(List<TensorSpec> tensors, long maxBytes) {
        List<List<TensorSpec>> files = new ArrayList<>();
        List<TensorSpec> file = new ArrayList<>();
        long bytes = 0;
        for (TensorSpec tensor : tensors) {
            if (!file.isEmpty() && bytes + tensor.bytes() > maxBytes) {
                files.add(file);
                file = new ArrayList<>();
                bytes = 0;
            }
            file.add(tensor);
            bytes += tensor.bytes();
        }
        files.add(file);
        return files;
    }

    private static TensorFiles named(String base, List<List<TensorSpec>> files, int[] writers) {
        List<Part> parts = new ArrayList<>();
        for (int i = 0; i < files.size(); i++) {
            String name = files.size() == 1
                    ? base + ".safetensors"
                    : String.format(Locale.ROOT, "%s-%05d-of-%05d.safetensors", base, i + 1, files.size());
            parts.add(new Part(name, writers[i], List.copyOf(files.get(i))));
        }
        return new TensorFiles(base, parts);
    }

    /// Bytes of all tensors.
    public long bytes() {
        return parts.stream().mapToLong(Part::bytes).sum();
    }

    /// The name of the file that says which tensor is in which file.
    static String index(String base) {
        return base + ".safetensors.index.json";
    }

    /// The tensors that a worker writes.
    public List<TensorSpec> tensors(int writer) {
        return parts.stream()
                .filter(part -> part.writer() == writer)
                .flatMap(part -> part.tensors().stream())
                .toList();
    }

    /// The files that a worker writes.
    ///
    /// @param memory of each of its tensors
    public List<CheckpointFile> files(int writer, Function<TensorSpec, MemorySegment> memory) {
        List<CheckpointFile> files = new ArrayList<>();
        for (Part part : parts) {
            if (part.writer() == writer) {
                files.add(new CheckpointFile.Tensors(part.name(), part.tensors(), memory));
            }
        }
        if (writer == 0 && parts.size() > 1) {
            files.add(CheckpointFile.json(index(base), index()));
        }
        return files;
    }

    private Map<String, Object> index() {
        Map<String, String> files = new TreeMap<>();
        parts.forEach(part -> part.tensors().forEach(tensor -> files.put(tensor.name(), part.name())));
        Map<String, Object> index = new LinkedHashMap<>();
        index.put("metadata", Map.of("total_size", bytes()));
        index.put("weight_map", files);
        return index;
    }
}
