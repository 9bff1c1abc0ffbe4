package org.quern.corpus.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.base.QuernException;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.archive.ArchiveFile;
import org.quern.corpus.archive.PageReader;
import org.quern.data.PathPatterns;

/// A file of the input: what is done, committed and restarted as one.
///
/// @param name what its pages are called by, the same wherever the files lie
/// @param snapshot within which duplicates are looked for
/// @param modified when, as the file system tells
record Partition(String name, int snapshot, String path, long size, String modified) {
    /// All of a config, sorted by path within each of its inputs.
    static List<Partition> of(CorpusConfig config) {
        List<Partition> partitions = new ArrayList<>();
        Map<String, Path> names = new HashMap<>();
        boolean together =
                config.duplicates().isPresent() && config.duplicates().get().acrossInputs();
        for (int snapshot = 0; snapshot < config.inputs().size(); snapshot++) {
            Path input = config.inputs().get(snapshot);
            for (Path file : PathPatterns.files(List.of(input), PageReader.SUFFIXES)) {
                String name = name(input, file);
                Path other = names.put(name, file);
                if (other != null && !other.equals(file)) {
                    throw QuernException.data(
                            "inputs: expected files of different names, found %s and %s: name a folder above both"
                                    .formatted(other, file));
                }
                if (other == null) {
                    partitions.add(of(name, together ? 0 : snapshot, file));
                }
            }
        }
        return partitions;
    }

    private static Partition of(String name, int snapshot, Path file) {
        try {
            String modified = Files.getLastModifiedTime(file).toString();
            return new Partition(name, snapshot, file.toString(), Files.size(file), modified);
        } catch (IOException e) {
            throw QuernException.io(file + ": cannot be read: " + e, e);
        }
    }

    /// The file's path below the folder that the input names.
    private static String name(Path input, Path file) {
        Path folder = input;
        while (!Files.isDirectory(folder)) {
            folder = folder.getParent();
        }
        return folder.normalize().relativize(file).toString();
    }

    ArchiveFile file() {
        return new ArchiveFile(name, Path.of(path));
    }
}
