package org.quern.corpus.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.base.QuernException;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.archive.ArchiveFile;
import org.quern.store.Location;
import org.quern.store.StorePlace;
import org.quern.store.Stores;

/// A file of the input: what is done, committed and restarted as one.
///
/// @param name what its pages are called by, the same wherever the files lie
/// @param snapshot within which duplicates are looked for
/// @param place its path, or `s3://bucket/key`
/// @param version another one for another content: when it was written, or the store's ETag
record Partition(String name, int snapshot, String place, long size, String version) {
    /// All of a config, sorted by path within each of its inputs.
    static List<Partition> of(CorpusConfig config, Stores stores) {
        List<Partition> partitions = new ArrayList<>();
        Map<String, String> places = new HashMap<>();
        boolean together =
                config.duplicates().isPresent() && config.duplicates().get().acrossInputs();
        for (int input = 0; input < config.inputs().size(); input++) {
            for (Inputs.Found file : Inputs.find(config.inputs().get(input), stores)) {
                String other = places.put(file.name(), file.place());
                if (other != null && !other.equals(file.place())) {
                    throw QuernException.data(
                            "inputs: expected files of different names, found %s and %s: name a folder above both"
                                    .formatted(other, file.place()));
                }
                if (other == null) {
                    int snapshot = together ? 0 : input;
                    partitions.add(new Partition(file.name(), snapshot, file.place(), file.size(), file.version()));
                }
            }
        }
        return partitions;
    }

    static int snapshots(List<Partition> partitions) {
        return 1 + partitions.stream().mapToInt(Partition::snapshot).max().orElse(0);
    }

    ArchiveFile file(Stores stores) {
        if (!StorePlace.isPlace(place)) {
            return new ArchiveFile.Local(name, Path.of(place));
        }
        Location location = Location.stored(place);
        return new ArchiveFile.Stored(name, stores.bucket(location.bucket()), location.key(), size, version);
    }
}
