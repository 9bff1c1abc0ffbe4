package org.quern.corpus.run;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.Page;
import org.quern.corpus.duplicate.Clusters;
import org.quern.corpus.duplicate.DuplicateFinder;
import org.quern.corpus.duplicate.Fingerprints;
import org.quern.corpus.duplicate.Scheme;
import org.quern.corpus.duplicate.SignatureWriter;
import org.quern.data.Sha256;

/// The ways in which a run finds duplicates, each with signatures of its own in the run's folder.
final class Duplicates {
    private static final long SIGNATURE_MEMORY = 16 << 20;
    private static final long MERGE_MEMORY = 256 << 20;

    /// @param name of the stage that drops what is found
    record Way(String name, Scheme scheme) {}

    private Duplicates() {}

    static List<Way> ways(CorpusConfig config) {
        List<Way> ways = new ArrayList<>();
        config.duplicates().ifPresent(duplicates -> {
            if (duplicates.exact()) {
                ways.add(new Way("exact_duplicates", Scheme.EXACT));
            }
            duplicates
                    .near()
                    .map(near -> new Scheme(near.buckets(), near.hashes(), near.words(), near.seed()))
                    .ifPresent(scheme -> ways.add(new Way("near_duplicates", scheme)));
        });
        return ways;
    }

    /// What pages are numbered by: of duplicates, the one with the smallest number is kept. A function of the page's
    /// URL and id, so that it does not matter what other pages there are. Two pages of ten million have one number
    /// with a chance of 1 in 100,000.
    static long number(Page page) {
        long url = ByteBuffer.wrap(Sha256.of(page.url().getBytes(StandardCharsets.UTF_8)))
                        .getInt()
                & 0x7fffffffL;
        long id = ByteBuffer.wrap(Sha256.of(page.id().getBytes(StandardCharsets.UTF_8)))
                        .getInt()
                & 0xffffffffL;
        return url << 32 | id;
    }

    /// The signatures of some pages: of each way, of each page, null for a page without one.
    static List<long[][]> signatures(List<Way> ways, List<Page> pages) {
        List<long[][]> signatures = new ArrayList<>();
        for (Way way : ways) {
            Fingerprints fingerprints = new Fingerprints(way.scheme());
            long[][] ofPages = new long[pages.size()][];
            for (int i = 0; i < ofPages.length; i++) {
                long[] signature = new long[way.scheme().size()];
                ofPages[i] = fingerprints.sign(pages.get(i).text(), signature) ? signature : null;
            }
            signatures.add(ofPages);
        }
        return signatures;
    }

    private static Path folder(RunFolder run, Way way, int snapshot) {
        return run.work().resolve(way.name()).resolve(Integer.toString(snapshot));
    }

    static SignatureWriter writer(RunFolder run, Way way, Partition partition) {
        return new SignatureWriter(
                folder(run, way, partition.snapshot()),
                RunFolder.key(partition.name()),
                way.scheme(),
                SIGNATURE_MEMORY);
    }

    /// Removes signatures of partitions that are not among these.
    static void keepOnly(RunFolder run, Set<String> partitions) throws IOException {
        Set<String> keys = partitions.stream().map(RunFolder::key).collect(Collectors.toSet());
        try (Stream<Path> tree = Files.walk(run.work())) {
            for (Path file :
                    tree.filter(path -> path.toString().endsWith(".sig")).toList()) {
                String name = file.getFileName().toString();
                if (!keys.contains(name.substring(0, name.indexOf('-')))) {
                    Files.delete(file);
                }
            }
        }
    }

    /// Writes clusters, for processes that [#read] them.
    static void write(RunFolder run, CorpusConfig config, List<List<Clusters>> clusters) {
        List<Way> ways = ways(config);
        for (int way = 0; way < ways.size(); way++) {
            for (int snapshot = 0; snapshot < clusters.get(way).size(); snapshot++) {
                clusters.get(way).get(snapshot).write(run.clusters(ways.get(way).name(), snapshot));
            }
        }
    }

    /// Clusters that were written, by way and snapshot.
    static List<List<Clusters>> read(RunFolder run, CorpusConfig config, int snapshots) {
        List<List<Clusters>> clusters = new ArrayList<>();
        for (Way way : ways(config)) {
            clusters.add(IntStream.range(0, snapshots)
                    .mapToObj(snapshot -> Clusters.read(run.clusters(way.name(), snapshot)))
                    .toList());
        }
        return clusters;
    }

    /// The pages of each cluster, by way and snapshot.
    static List<List<Clusters>> find(RunFolder run, CorpusConfig config, int snapshots, int threads) {
        List<List<Clusters>> found = new ArrayList<>();
        for (Way way : ways(config)) {
            DuplicateFinder finder = new DuplicateFinder(way.scheme(), threads, MERGE_MEMORY);
            List<Clusters> bySnapshot = new ArrayList<>();
            for (int snapshot = 0; snapshot < snapshots; snapshot++) {
                bySnapshot.add(finder.find(folder(run, way, snapshot), List.of()));
            }
            found.add(bySnapshot);
        }
        return found;
    }
}
