package org.quern.corpus.run;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;
import org.quern.corpus.archive.ParquetWriter;
import org.quern.corpus.archive.ParquetWriter.Column;
import org.quern.corpus.duplicate.Clusters;
import org.quern.corpus.duplicate.DuplicateStage;
import org.quern.data.Sha256;

/// Writes the pages that are no duplicates as Parquet, a given number to a file, in the order of the partitions.
final class ShardStep {
    private static final long GROUP_BYTES = 64 << 20;
    private static final List<Column> COLUMNS = List.of(
            new Column.Text("text"),
            new Column.Text("id"),
            new Column.Text("url"),
            new Column.Text("date"),
            new Column.Text("language"),
            new Column.Real("language_score"),
            new Column.Text("scores"),
            new Column.Text("robots"),
            new Column.Text("license"),
            new Column.Text("text_sha256"),
            new Column.Text("payload_digest"),
            new Column.Text("record_id"));

    private final RunFolder run;
    private final List<Partition> partitions;
    private final List<Duplicates.Way> ways;
    private final List<List<Clusters>> clusters;
    private final List<Set<Long>> sampled;

    /// The pages of one file.
    ///
    /// @param partition where they begin
    /// @param page the first of that partition
    /// @param pages with duplicates, to the end of the last partition if need be
    record Shard(int index, int partition, long page, long pages) {}

    /// What came of them.
    ///
    /// @param clusters those that are looked at, by way and the kept page's number
    record Written(String file, List<StageCount> stages, List<Map<Long, DuplicateCluster>> clusters) {}

    /// What comes of a file while it is written.
    private static final class Results {
        private final List<StageCount> stages = new ArrayList<>();
        private final List<Map<Long, DuplicateCluster>> clusters = new ArrayList<>();
        private final Findings findings = new Findings();

        Results(List<Duplicates.Way> ways) {
            ways.forEach(way -> stages.add(StageCount.none(way.name())));
            ways.forEach(_ -> clusters.add(new HashMap<>()));
        }
    }

    ShardStep(
            RunFolder run,
            List<Partition> partitions,
            List<Duplicates.Way> ways,
            List<List<Clusters>> clusters,
            List<Set<Long>> sampled) {
        this.run = run;
        this.partitions = partitions;
        this.ways = ways;
        this.clusters = clusters;
        this.sampled = sampled;
    }

    static ShardStep of(RunFolder run, CorpusConfig config, List<Partition> partitions, List<List<Clusters>> clusters) {
        List<Duplicates.Way> ways = Duplicates.ways(config);
        return new ShardStep(
                run,
                partitions,
                ways,
                clusters,
                SampledClusters.of(ways, clusters).chosen());
    }

    /// Divides what is kept into files.
    List<Shard> plan(int shardPages) throws IOException {
        List<Shard> shards = new ArrayList<>();
        int partitionOfFirst = 0;
        long first = 0;
        long pages = 0;
        long kept = 0;
        for (int p = 0; p < partitions.size(); p++) {
            Path file = run.numbers(partitions.get(p).name());
            long count = Files.size(file) / Long.BYTES;
            try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
                for (long i = 0; i < count; i++) {
                    if (isKept(in.readLong(), p)) {
                        if (kept == shardPages) {
                            shards.add(new Shard(shards.size(), partitionOfFirst, first, pages));
                            partitionOfFirst = p;
                            first = i;
                            pages = 0;
                            kept = 0;
                        }
                        kept++;
                    }
                    pages++;
                }
            }
        }
        if (pages > 0) {
            shards.add(new Shard(shards.size(), partitionOfFirst, first, pages));
        }
        return shards;
    }

    private boolean isKept(long number, int partition) {
        int snapshot = partitions.get(partition).snapshot();
        return clusters.stream().allMatch(way -> way.get(snapshot).keeper(number) == number);
    }

    private List<Stage> stages(int partition) {
        List<Stage> stages = new ArrayList<>();
        for (int way = 0; way < ways.size(); way++) {
            Clusters ofSnapshot =
                    clusters.get(way).get(partitions.get(partition).snapshot());
            stages.add(new DuplicateStage(ways.get(way).name(), ofSnapshot, Duplicates::number));
        }
        return stages;
    }

    /// @throws QuernException when the disk is full, for example
    Written write(Shard shard) {
        String name = "%05d.parquet".formatted(shard.index());
        try {
            return write(shard, name);
        } catch (IOException e) {
            throw QuernException.io(
                    run.text().resolve(name) + " cannot be written", e, "the same command goes on from here");
        }
    }

    private Written write(Shard shard, String name) throws IOException {
        Results results = new Results(ways);
        try (CommittedFile file = new CommittedFile(run.text().resolve(name))) {
            try (ParquetWriter out = new ParquetWriter(file.uncloseable(), COLUMNS, GROUP_BYTES)) {
                long left = shard.pages();
                for (int p = shard.partition(); left > 0; p++) {
                    List<Stage> stages = stages(p);
                    try (PageStore.Reader in =
                            new PageStore.Reader(run.pages(partitions.get(p).name()))) {
                        in.skip(p == shard.partition() ? shard.page() : 0);
                        for (Optional<Page> page = in.next(); left > 0 && page.isPresent(); page = in.next()) {
                            left--;
                            sample(page.get(), p, results.clusters);
                            Optional<Page> kept = kept(page.get(), stages, results);
                            if (kept.isPresent()) {
                                results.findings.addOutput(kept.get());
                                out.add(row(kept.get()));
                            }
                        }
                    }
                }
            }
            file.commit();
        }
        CommittedFile.write(
                run.findings(name), Json.MAPPER.writeValueAsBytes(results.findings.stored(Integer.MAX_VALUE)));
        return new Written(name, results.stages, results.clusters);
    }

    private void sample(Page page, int partition, List<Map<Long, DuplicateCluster>> found) {
        long number = Duplicates.number(page);
        long keeper = number;
        for (int way = 0; keeper == number && way < ways.size(); way++) {
            keeper = clusters.get(way).get(partitions.get(partition).snapshot()).keeper(number);
            if (sampled.get(way).contains(keeper)) {
                DuplicateCluster none = DuplicateCluster.none(ways.get(way).name());
                DuplicateCluster before = found.get(way).getOrDefault(keeper, none);
                found.get(way).put(keeper, before.plus(DuplicateCluster.Member.of(page, keeper != number)));
            }
        }
    }

    private static Optional<Page> kept(Page page, List<Stage> stages, Results results) {
        Page now = page;
        long bytes = StageCount.bytes(page);
        for (int i = 0; i < stages.size(); i++) {
            String stage = stages.get(i).name();
            StageCount before = results.stages.get(i);
            switch (stages.get(i).apply(now)) {
                case Verdict.Kept(Page kept) -> {
                    now = kept;
                    results.stages.set(i, before.plus(StageCount.kept(stage, bytes, bytes, 0)));
                }
                case Verdict.Dropped dropped -> {
                    results.stages.set(i, before.plus(StageCount.dropped(stage, bytes, dropped.reason(), 0)));
                    results.findings.addDropped(page, stage, dropped.reason());
                    return Optional.empty();
                }
            }
        }
        return Optional.of(now);
    }

    private static List<?> row(Page page) {
        byte[] hash = Sha256.of(page.text().getBytes(StandardCharsets.UTF_8));
        return List.of(
                page.text(),
                page.id(),
                page.url(),
                page.date(),
                page.language(),
                page.languageScore(),
                Json.MAPPER.writeValueAsString(page.scores()),
                page.robots(),
                page.license(),
                HexFormat.of().formatHex(hash),
                page.origin().payloadDigest(),
                page.origin().recordId());
    }
}
