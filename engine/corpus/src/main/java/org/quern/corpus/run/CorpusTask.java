package org.quern.corpus.run;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;
import org.quern.store.Stores;
import tools.jackson.databind.JsonNode;

/// A partition to be taken through the stages, or a file to be written, by a process that sees the run's folder.
/// What it writes is committed by renaming, and the same whoever does it: a task done twice does no harm.
///
/// @param step what is to be done
/// @param item with what: a [Partition] or a [ShardStep.Shard]
public record CorpusTask(Job job, Step step, JsonNode item) {
    enum Step {
        PAGES,
        SHARD
    }

    /// What the tasks of a step have in common.
    ///
    /// @param run its folder
    /// @param config hash of its `config.yaml`
    /// @param id of the step
    record Job(String run, String config, String id) {
        RunFolder folder() {
            return new RunFolder(Path.of(run));
        }
    }

    /// The task as JSON.
    static String of(Job job, Step step, Object item) {
        return Json.MAPPER.writeValueAsString(new CorpusTask(job, step, Json.MAPPER.valueToTree(item)));
    }

    /// Does a task.
    ///
    /// @param json the task
    /// @return a [PartitionReport] or a [ShardStep.Written], as JSON
    public static String run(String json) {
        CorpusTask task = Json.MAPPER.readValue(json, CorpusTask.class);
        Object result = switch (task.step) {
            case PAGES -> pages(task.job, Json.MAPPER.treeToValue(task.item, Partition.class));
            case SHARD -> shard(task.job, Json.MAPPER.treeToValue(task.item, ShardStep.Shard.class));
        };
        return Json.MAPPER.writeValueAsString(result);
    }

    private static PartitionReport pages(Job job, Partition partition) {
        Shared shared = Shared.of(job);
        // The task reads and writes, the worker does the rest: a processor's work.
        try (ExecutorService worker = Executors.newSingleThreadExecutor();
                Stores stores = new Stores(System.getenv())) {
            PagesStep step = new PagesStep(
                    job.folder(), shared.config, stores, shared.stages, worker, new Semaphore(3), (_, _) -> {});
            try {
                return step.process(partition);
            } finally {
                worker.shutdownNow();
            }
        }
    }

    private static ShardStep.Written shard(Job job, ShardStep.Shard shard) {
        return Shared.of(job).shards().write(shard);
    }

    /// A hash of the run's config.
    static String configHash(RunFolder run) throws IOException {
        return RunFolder.hash(Files.readString(run.config()));
    }

    /// What a process keeps for the tasks of one step: models and lists take longer to read than a task may take.
    private static final class Shared {
        private static Shared last;

        private final Job job;
        private final CorpusConfig config;
        private final Pipeline stages;
        private ShardStep shards;

        private Shared(Job job) {
            this.job = job;
            requireFolder(job);
            config = ConfigReader.read(job.folder().config(), CorpusConfig.class, List.of());
            stages = Pipeline.of(config);
        }

        private static synchronized Shared of(Job job) {
            if (last == null || !last.job.equals(job)) {
                last = new Shared(job);
            }
            return last;
        }

        private static void requireFolder(Job job) {
            String found;
            try {
                found = configHash(job.folder());
            } catch (IOException e) {
                found = "";
            }
            if (!found.equals(job.config())) {
                throw QuernException.data(
                        """
                        --run: %s must be one folder that all machines of the cluster share: on %s its config.yaml is %s\
                        """.formatted(job.run(), hostName(), found.isEmpty() ? "not there" : "another one"));
            }
        }

        private static String hostName() {
            try {
                return InetAddress.getLocalHost().getHostName();
            } catch (UnknownHostException _) {
                return "one of them";
            }
        }

        private synchronized ShardStep shards() {
            if (shards == null) {
                shards = readShards(job.folder());
            }
            return shards;
        }

        private ShardStep readShards(RunFolder run) {
            try {
                List<Partition> partitions = Json.MAPPER
                        .readValue(Files.readAllBytes(run.plan()), Plan.class)
                        .partitions();
                return ShardStep.of(
                        run, config, partitions, Duplicates.read(run, config, Partition.snapshots(partitions)));
            } catch (IOException e) {
                throw QuernException.io("%s cannot be read".formatted(run.work()), e);
            }
        }
    }
}
