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
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigWriter;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.duplicate.Clusters;
import org.quern.store.Stores;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes a corpus: pages of each partition through the stages, then duplicates of all partitions, then files of
/// what is left. Finished partitions are not done again when the run goes on; the same inputs and config give
/// the same bytes, whatever the threads and whether it was interrupted.
public final class CorpusRun {
    private static final Logger LOG = LoggerFactory.getLogger(CorpusRun.class);
    private final RunFolder run;
    private final CorpusConfig config;
    private final CorpusProgress progress;
    private final int threads;
    private final Optional<TaskRunner> runner;
    private final Map<String, String> environment;

    /// @param folder of the run
    public CorpusRun(CorpusConfig config, Path folder, CorpusProgress progress) {
        this(config, folder, progress, Optional.empty(), System.getenv());
    }

    /// @param runner that does what takes long
    public CorpusRun(CorpusConfig config, Path folder, CorpusProgress progress, TaskRunner runner) {
        this(config, folder.toAbsolutePath().normalize(), progress, Optional.of(runner), System.getenv());
    }

    /// @param environment where keys of stores are found
    CorpusRun(
            CorpusConfig config,
            Path folder,
            CorpusProgress progress,
            Optional<TaskRunner> runner,
            Map<String, String> environment) {
        this.runner = runner;
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
                    run.path() + ": the corpus cannot be written", e, "the same command goes on from here");
        }
    }

    private CorpusReport buildAlone(Stores stores) throws IOException {
        List<Partition> partitions = Partition.of(config, stores);
        Pipeline pipeline = Pipeline.of(config);
        Steps steps = runner.isPresent()
                ? new TaskSteps(run, config, progress, runner.get())
                : new ThreadSteps(run, config, stores, pipeline, threads, progress);
        checkConfig();
        removeTemporaryFiles();
        // From here on the report is of another state than the folder.
        Files.deleteIfExists(run.report());
        Plan plan = new Plan(pipeline.recipe(), config.samples(), partitions);
        CommittedFile.write(run.plan(), Json.pretty(plan));
        List<PartitionReport> reports = pages(partitions, pipeline.recipe(), steps);
        progress.update("finding duplicates", 0, 0, 0);
        List<Duplicates.Way> ways = Duplicates.ways(config);
        List<List<Clusters>> clusters = Duplicates.find(run, config, Partition.snapshots(partitions), threads);
        SampledClusters sampled = SampledClusters.of(ways, clusters);
        List<ShardStep.Written> written = write(partitions, clusters, steps);
        Optional<CorpusReport.Tokens> tokens = tokens(written);
        CommittedFile.writeLines(run.samples(), PagesSummary.samples(run, partitions, config.samples()));
        CommittedFile.writeLines(
                run.clusters(),
                SampledClusters.sorted(
                        written.stream().map(ShardStep.Written::clusters).toList()));
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

    private List<PartitionReport> pages(List<Partition> partitions, String recipe, Steps steps) throws IOException {
        Map<String, PartitionReport> reports = new HashMap<>();
        List<Partition> missing = new ArrayList<>();
        for (Partition partition : partitions) {
            Optional<PartitionReport> done = PagesStep.done(run, recipe, partition);
            done.ifPresentOrElse(report -> reports.put(partition.name(), report), () -> missing.add(partition));
            if (done.isEmpty() && Files.exists(run.partitionReport(partition.name()))) {
                LOG.info("{}: it or the config has changed: its pages are made again", partition.place());
            }
        }
        // Signatures of pages that are no more would have others dropped.
        Duplicates.keepOnly(run, reports.keySet());
        steps.pages(missing).forEach(report -> reports.put(report.partition().name(), report));
        return partitions.stream()
                .map(partition -> reports.get(partition.name()))
                .toList();
    }

    private List<ShardStep.Written> write(List<Partition> partitions, List<List<Clusters>> clusters, Steps steps)
            throws IOException {
        progress.update("writing", 0, 0, 0);
        List<ShardStep.Shard> shards =
                ShardStep.of(run, config, partitions, clusters).plan(config.shardPages());
        List<ShardStep.Written> written = steps.write(shards, partitions, clusters);
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
            output.addAll(Findings.read(run.findings(shard.file())));
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
