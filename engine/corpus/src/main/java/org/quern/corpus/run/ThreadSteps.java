package org.quern.corpus.run;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.Parallel;
import org.quern.corpus.duplicate.Clusters;
import org.quern.store.Stores;

/// The steps on the threads of this process.
///
/// @param stages of the pages
record ThreadSteps(
        RunFolder run, CorpusConfig config, Stores stores, Pipeline stages, int threads, CorpusProgress progress)
        implements Steps {
    /// For each thread: one in work, one that waits and one to be written.
    private static final int CHUNKS_EACH = 3;

    @Override
    public List<PartitionReport> pages(List<Partition> partitions) {
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
            List<Callable<PartitionReport>> tasks = new ArrayList<>();
            partitions.forEach(partition -> tasks.add(() -> step.process(partition)));
            try {
                return Parallel.all(tasks, threads);
            } finally {
                workers.shutdownNow();
            }
        }
    }

    @Override
    public List<ShardStep.Written> write(
            List<ShardStep.Shard> shards, List<Partition> partitions, List<List<Clusters>> clusters) {
        ShardStep step = ShardStep.of(run, config, partitions, clusters);
        LongAdder pages = new LongAdder();
        List<Callable<ShardStep.Written>> tasks = new ArrayList<>();
        for (ShardStep.Shard shard : shards) {
            tasks.add(() -> {
                ShardStep.Written written = step.write(shard);
                pages.add(shard.pages());
                progress.update("writing", pages.sum(), 0, 0);
                return written;
            });
        }
        return Parallel.all(tasks, threads);
    }
}
