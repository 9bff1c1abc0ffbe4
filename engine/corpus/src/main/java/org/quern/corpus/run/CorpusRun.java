package org.quern.corpus.run;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
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
import org.quern.corpus.archive.Tally;
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

    private static final int SAMPLED_CLUSTERS = 20;

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
        List<PartitionReport> reports = pages(partitions, stages, stores);
        progress.update("finding duplicates", 0, 0, 0);
        List<Duplicates.Way> ways = Duplicates.ways(config);
        int snapshots =
                1 + partitions.stream().mapToInt(Partition::snapshot).max().orElse(0);
        List<List<Clusters>> clusters = Duplicates.find(run, config, snapshots, threads);
        ShardStep step = new ShardStep(run, partitions, ways, clusters, sampled(clusters));
        List<ShardStep.Written> written = write(step);
        Optional<CorpusReport.Tokens> tokens = tokens(written);
        return report(partitions, reports, ways, written, tokens);
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

    /// The clusters to be looked at: their numbers are hashes, so the smallest are as good as any.
    private static Set<Long> sampled(List<List<Clusters>> clusters) {
        Set<Long> sampled = new HashSet<>();
        for (List<Clusters> way : clusters) {
            for (Clusters ofSnapshot : way) {
                Arrays.stream(ofSnapshot.pages())
                        .filter(page -> ofSnapshot.keeper(page) == page)
                        .limit(SAMPLED_CLUSTERS)
                        .forEach(sampled::add);
            }
        }
        return sampled;
    }

    private List<ShardStep.Written> write(ShardStep step) throws IOException {
        Files.deleteIfExists(run.report());
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
            List<ShardStep.Written> written,
            Optional<CorpusReport.Tokens> tokens)
            throws IOException {
        Tally passedOver = new Tally();
        Tally bad = new Tally();
        List<StageCount> pageStages = Chunk.none(Pipeline.stages(config));
        List<Sample> samples = new ArrayList<>();
        for (PartitionReport report : reports) {
            passedOver.addAll(report.passedOver());
            bad.addAll(report.bad());
            pageStages = StageCount.sum(pageStages, report.stages());
            samples.addAll(samples(report.partition()));
            samples = new ArrayList<>(Sample.smallest(samples, config.samples()));
        }
        List<StageCount> stages = new ArrayList<>();
        ways.forEach(way -> stages.add(StageCount.none(way.name())));
        Shape shape = new Shape();
        for (ShardStep.Written shard : written) {
            List<StageCount> sum = StageCount.sum(stages, shard.stages());
            stages.clear();
            stages.addAll(sum);
            shape.addAll(shard.shape());
            samples.addAll(shard.samples());
        }
        stages.addAll(0, pageStages);
        writeSamples(samples);
        CorpusReport report = new CorpusReport(
                CorpusReport.VERSION,
                partitions.size(),
                partitions.stream().mapToLong(Partition::size).sum(),
                passedOver.counts(),
                bad.counts(),
                stages.stream().map(CorpusReport.StageResult::of).toList(),
                shape.summary(),
                written.stream().map(ShardStep.Written::file).toList(),
                tokens);
        CommittedFile.write(run.report(), Json.pretty(report));
        return report;
    }

    private List<Sample> samples(Partition partition) throws IOException {
        List<Sample> samples = new ArrayList<>();
        for (String line : Files.readAllLines(run.samples(partition.name()))) {
            samples.add(Json.MAPPER.readValue(line, Sample.class));
        }
        return samples;
    }

    private void writeSamples(List<Sample> samples) throws IOException {
        try (CommittedFile out = new CommittedFile(run.samples())) {
            for (Sample sample : samples) {
                out.write(Json.MAPPER.writeValueAsBytes(sample));
                out.write('\n');
            }
            out.commit();
        }
    }
}
