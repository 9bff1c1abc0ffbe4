package org.quern.corpus.run;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigWriter;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.Stage;
import org.quern.corpus.duplicate.Clusters;
import org.quern.store.Stores;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes a corpus: pages of each partition through the stages, then duplicates of all partitions, then files of
/// what is left. Finished partitions are not done again when the run goes on; the same inputs and config give
/// the same bytes, whatever the threads and whether it was interrupted.
public final class CorpusRun {
    private static final Logger LOG = LoggerFactory.getLogger(CorpusRun.class);
    /// For each thread: one in work, one that waits and one to be written.
    private static final int CHUNKS_EACH = 3;

    private final RunFolder run;
    private final CorpusConfig config;
    private final CorpusProgress progress;
    private final int threads;
    private final Map<String, String> environment;

    /// @param folder of the run
    public CorpusRun(CorpusConfig config, Path folder, CorpusProgress progress) {
        this(config, folder, progress, System.getenv());
    }

    /// @param environment where keys of stores are found
    CorpusRun(CorpusConfig config, Path folder, CorpusProgress progress, Map<String, String> environment) {
        this.config = config;
        this.environment = environment;
        this.progress = progress;
        run = new RunFolder(folder);
        threads = config.threads().orElse(Runtime.getRuntime().availableProcessors());
    }

    /// Makes the corpus, or what of it is missing.
    public CorpusReport build() {
        try {
            Files.createDirectories(run.work());
            Files.createDirectories(run.text());
            try (FileChannel channel = FileChannel.open(
                            run.work().resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = channel.tryLock();
                    Stores stores = new Stores(environment)) {
                if (lock == null) {
                    throw QuernException.data(run.path() + ": another process builds a corpus there");
                }
                return buildAlone(stores);
            }
        } catch (IOException e) {
            throw QuernException.io(
                    "%s: the corpus cannot be written (%s): the same command goes on from here"
                            .formatted(run.path(), e.getMessage()),
                    e);
        }
    }

    private CorpusReport buildAlone(Stores stores) throws IOException {
        List<Partition> partitions = Partition.of(config, stores);
        List<Stage> stages = Pipeline.stages(config);
        checkConfig();
        removeTemporaryFiles();
        // From here on the report is of another state than the folder.
        Files.deleteIfExists(run.report());
        Plan plan = new Plan(Pipeline.recipe(config), config.samples(), partitions);
        CommittedFile.write(run.plan(), Json.pretty(plan));
        List<PartitionReport> reports = pages(partitions, stages, stores);
        progress.update("finding duplicates", 0, 0, 0);
        List<Duplicates.Way> ways = Duplicates.ways(config);
        int snapshots =
                1 + partitions.stream().mapToInt(Partition::snapshot).max().orElse(0);
        List<List<Clusters>> clusters = Duplicates.find(run, config, snapshots, threads);
        SampledClusters sampled = SampledClusters.of(ways, clusters);
        ShardStep step = new ShardStep(run, partitions, ways, clusters, sampled.chosen());
        List<ShardStep.Written> written = write(step);
        Optional<CorpusReport.Tokens> tokens = tokens(written);
        CommittedFile.writeLines(run.samples(), PagesSummary.samples(run, partitions, config.samples()));
        CommittedFile.writeLines(run.clusters(), SampledClusters.sorted(step.samples()));
        CorpusReport report = report(partitions, reports, ways, sampled, written, tokens);
        CommittedFile.write(run.report(), Json.pretty(report));
        return report;
    }

    /// The config of the folder is this one, apart from what does not change a page.
    private void checkConfig() throws IOException {
        String yaml = ConfigWriter.yaml(config);
        if (Files.exists(run.config())) {
            List<String> then = Files.readAllLines(run.config());
            List<String> now = yaml.lines().toList();
            List<String> changed = new ArrayList<>(now);
            changed.removeAll(then);
            changed.removeIf(line -> line.startsWith("threads:"));
            if (!changed.isEmpty()) {
                LOG.info("{}: the config has changed: {}", run.path(), changed);
            }
        }
        CommittedFile.write(run.config(), yaml.getBytes(StandardCharsets.UTF_8));
    }

    private void removeTemporaryFiles() throws IOException {
        try (Stream<Path> tree = Files.walk(run.path())) {
            for (Path file : tree.filter(path -> path.toString().endsWith(CommittedFile.TEMPORARY_SUFFIX))
                    .toList()) {
                Files.delete(file);
            }
        }
    }

    private List<PartitionReport> pages(List<Partition> partitions, List<Stage> stages, Stores stores)
            throws IOException {
        long total = partitions.stream().mapToLong(Partition::size).sum();
        LongAdder pages = new LongAdder();
        LongAdder bytes = new LongAdder();
        try (ExecutorService workers = Executors.newFixedThreadPool(threads)) {
            PagesStep step = new PagesStep(
                    run,
                    config,
                    stores,
                    stages,
                    workers,
                    new Semaphore(CHUNKS_EACH * threads),
                    (morePages, moreBytes) -> {
                        pages.add(morePages);
                        bytes.add(moreBytes);
                        progress.update("reading", pages.sum(), bytes.sum(), total);
                    });
            Map<String, PartitionReport> done = new HashMap<>();
            for (Partition partition : partitions) {
                step.done(partition).ifPresent(report -> done.put(partition.name(), report));
            }
            // Signatures of pages that are no more would have others dropped.
            Duplicates.keepOnly(run, done.keySet());
            List<Callable<PartitionReport>> tasks = new ArrayList<>();
            for (Partition partition : partitions) {
                tasks.add(() -> {
                    if (done.containsKey(partition.name())) {
                        bytes.add(partition.size());
                        return done.get(partition.name());
                    }
                    if (Files.exists(run.partitionReport(partition.name()))) {
                        LOG.info("{}: it or the config has changed: its pages are made again", partition.place());
                    }
                    return step.process(partition);
                });
            }
            try {
                return Parallel.all(tasks, threads);
            } finally {
                workers.shutdownNow();
            }
        }
    }

    private List<ShardStep.Written> write(ShardStep step) throws IOException {
        List<ShardStep.Shard> shards = step.plan(config.shardPages());
        LongAdder pages = new LongAdder();
        progress.update("writing", 0, 0, 0);
        List<Callable<ShardStep.Written>> tasks = new ArrayList<>();
        for (ShardStep.Shard shard : shards) {
            tasks.add(() -> {
                ShardStep.Written written = step.write(shard);
                pages.add(shard.pages());
                progress.update("writing", pages.sum(), 0, 0);
                return written;
            });
        }
        List<ShardStep.Written> written = Parallel.all(tasks, threads);
        Set<String> names = written.stream().map(ShardStep.Written::file).collect(Collectors.toSet());
        try (Stream<Path> files = Files.list(run.text())) {
            for (Path file : files.filter(
                            path -> !names.contains(path.getFileName().toString()))
                    .toList()) {
                Files.delete(file);
            }
        }
        return written;
    }

    private Optional<CorpusReport.Tokens> tokens(List<ShardStep.Written> written) throws IOException {
        if (config.tokens().isEmpty()) {
            return Optional.empty();
        }
        Files.createDirectories(run.tokens());
        CorpusDocuments documents = new CorpusDocuments(
                run.text(), written.stream().map(ShardStep.Written::file).toList());
        return Optional.of(Tokenizing.tokenize(config.tokens().get(), documents, run.tokens(), threads, progress));
    }

    private CorpusReport report(
            List<Partition> partitions,
            List<PartitionReport> reports,
            List<Duplicates.Way> ways,
            SampledClusters sampled,
            List<ShardStep.Written> written,
            Optional<CorpusReport.Tokens> tokens) {
        PagesSummary pages = PagesSummary.of(run, reports);
        List<StageCount> ofWays =
                ways.stream().map(way -> StageCount.none(way.name())).toList();
        Findings output = new Findings();
        for (ShardStep.Written shard : written) {
            ofWays = StageCount.sum(ofWays, shard.stages());
            output.addAll(Findings.read(shard.findings()));
        }
        Shape.Summary kept = output.stored(0).kept();
        Findings all = pages.findings();
        all.addAll(output);
        Findings.Stored findings = all.stored(CorpusReport.DOMAINS);
        return new CorpusReport(
                CorpusReport.VERSION,
                partitions.size(),
                partitions.stream().mapToLong(Partition::size).sum(),
                pages.passedOver().counts(),
                pages.bad().counts(),
                Stream.concat(pages.stages().stream(), ofWays.stream())
                        .map(CorpusReport.StageResult::of)
                        .toList(),
                kept,
                findings.dropped(),
                sampled.counts(),
                findings.domains(),
                written.stream().map(ShardStep.Written::file).toList(),
                tokens);
    }
}
