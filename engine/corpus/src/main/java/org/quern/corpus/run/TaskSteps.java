package org.quern.corpus.run;

import java.io.IOException;
import java.util.List;
import java.util.UUID;
import org.quern.base.Json;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.duplicate.Clusters;

/// The steps as tasks, which find all they need in the run's folder.
record TaskSteps(RunFolder run, CorpusConfig config, CorpusProgress progress, TaskRunner runner) implements Steps {
    @Override
    public List<PartitionReport> pages(List<Partition> partitions) throws IOException {
        progress.update("reading", 0, 0, 0);
        CorpusTask.Job job = job();
        List<String> tasks = partitions.stream()
                .map(partition -> CorpusTask.of(job, CorpusTask.Step.PAGES, partition))
                .toList();
        return runner.run(tasks).stream()
                .map(report -> Json.MAPPER.readValue(report, PartitionReport.class))
                .toList();
    }

    @Override
    public List<ShardStep.Written> write(
            List<ShardStep.Shard> shards, List<Partition> partitions, List<List<Clusters>> clusters)
            throws IOException {
        Duplicates.write(run, config, clusters);
        CorpusTask.Job job = job();
        List<String> tasks = shards.stream()
                .map(shard -> CorpusTask.of(job, CorpusTask.Step.SHARD, shard))
                .toList();
        return runner.run(tasks).stream()
                .map(written -> Json.MAPPER.readValue(written, ShardStep.Written.class))
                .toList();
    }

    private CorpusTask.Job job() throws IOException {
        return new CorpusTask.Job(
                run.path().toString(),
                CorpusTask.configHash(run),
                UUID.randomUUID().toString());
    }
}
