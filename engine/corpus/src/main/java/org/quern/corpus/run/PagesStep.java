package org.quern.corpus.run;

import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.archive.PageReader;
import org.quern.corpus.duplicate.SignatureWriter;
import org.quern.data.Sha256;
import org.quern.store.Stores;

/// Takes the pages of a partition through the stages: one thread reads and writes in order, workers do the
/// rest. What is written is the same whatever their number.
final class PagesStep {
    /// A chunk ends when it holds so many pages or bytes.
    private static final int CHUNK_PAGES = 128;

    private static final int CHUNK_BYTES = 2 << 20;

    /// Told what was done.
    interface Progress {
        void update(long pages, long inputBytes);
    }

    private final RunFolder run;
    private final CorpusConfig config;
    private final Stores stores;
    private final List<Stage> stages;
    private final List<Duplicates.Way> ways;
    private final String recipe;
    private final ExecutorService workers;
    private final Semaphore chunksInMemory;
    private final Progress progress;

    /// @param chunksInMemory of all partitions at a time
    PagesStep(
            RunFolder run,
            CorpusConfig config,
            Stores stores,
            Pipeline pipeline,
            ExecutorService workers,
            Semaphore chunksInMemory,
            Progress progress) {
        this.run = run;
        this.config = config;
        this.stores = stores;
        stages = pipeline.stages();
        recipe = pipeline.recipe();
        this.workers = workers;
        this.chunksInMemory = chunksInMemory;
        this.progress = progress;
        ways = Duplicates.ways(config);
    }

    /// What came of the partition if that was done already, by the same stages and of the same file.
    static Optional<PartitionReport> done(RunFolder run, String recipe, Partition partition) {
        if (!Files.exists(run.partitionReport(partition.name()))) {
            return Optional.empty();
        }
        PartitionReport report =
                Json.MAPPER.treeToValue(Json.readObject(run.partitionReport(partition.name())), PartitionReport.class);
        boolean same = report.recipe().equals(recipe) && sameFile(report.partition(), partition);
        boolean whole = Files.exists(run.pages(partition.name())) && Files.exists(run.findings(partition.name()));
        return same && whole ? Optional.of(report) : Optional.empty();
    }

    private static boolean sameFile(Partition then, Partition now) {
        return then.snapshot() == now.snapshot()
                && then.size() == now.size()
                && then.version().equals(now.version());
    }

    /// The pages, then what was seen of them, then the marker that they are there.
    PartitionReport process(Partition partition) {
        try (PageReader reader = PageReader.open(partition.file(stores), config.maxPageBytes());
                CommittedFile out = new CommittedFile(run.pages(partition.name()));
                CommittedFile numbers = new CommittedFile(run.numbers(partition.name()))) {
            MessageDigest digest = Sha256.digest();
            Results results = new Results(
                    stages,
                    config.samples(),
                    ways.stream()
                            .map(way -> Duplicates.writer(run, way, partition))
                            .toList(),
                    new DigestOutputStream(out, digest),
                    new DataOutputStream(numbers));
            writeChunks(reader, results);
            results.signatures.forEach(SignatureWriter::finish);
            out.commit();
            numbers.commit();
            CommittedFile.writeLines(run.samples(partition.name()), results.samples);
            CommittedFile.write(
                    run.findings(partition.name()),
                    Json.MAPPER.writeValueAsBytes(results.findings.stored(Integer.MAX_VALUE)));
            PartitionReport report = new PartitionReport(
                    partition,
                    recipe,
                    results.kept,
                    HexFormat.of().formatHex(digest.digest()),
                    reader.passedOver().counts(),
                    reader.bad().counts(),
                    results.counts);
            CommittedFile.write(run.partitionReport(partition.name()), Json.pretty(report));
            return report;
        } catch (IOException e) {
            throw QuernException.io(
                    "%s: its pages cannot be read, or written to %s".formatted(partition.place(), run.work()),
                    e,
                    "the same command goes on from here");
        }
    }

    /// What the chunks of a partition come to.
    private static final class Results {
        private final int samplesEach;
        private final List<SignatureWriter> signatures;
        private final OutputStream pages;
        private final DataOutputStream numbers;
        private List<StageCount> counts;
        private final Findings findings = new Findings();
        private List<Sample> samples = List.of();
        private long kept;

        Results(
                List<Stage> stages,
                int samplesEach,
                List<SignatureWriter> signatures,
                OutputStream pages,
                DataOutputStream numbers) {
            this.samplesEach = samplesEach;
            this.signatures = signatures;
            this.pages = pages;
            this.numbers = numbers;
            counts = Chunk.none(stages);
        }

        void add(Chunk chunk) throws IOException {
            pages.write(chunk.frame());
            for (long number : chunk.numbers()) {
                numbers.writeLong(number);
            }
            for (int way = 0; way < signatures.size(); way++) {
                long[][] ofPages = chunk.signatures().get(way);
                for (int i = 0; i < ofPages.length; i++) {
                    if (ofPages[i] != null) {
                        signatures.get(way).add(chunk.numbers()[i], ofPages[i]);
                    }
                }
            }
            counts = StageCount.sum(counts, chunk.stages());
            findings.addAll(chunk.findings());
            List<Sample> all = new ArrayList<>(samples);
            all.addAll(chunk.samples());
            samples = Sample.smallest(all, samplesEach);
            kept += chunk.kept();
        }
    }

    private void writeChunks(PageReader reader, Results results) throws IOException {
        Queue<Future<Chunk>> pending = new ArrayDeque<>();
        try {
            long bytesTold = 0;
            for (List<Page> pages = read(reader); !pages.isEmpty(); pages = read(reader)) {
                while (!chunksInMemory.tryAcquire()) {
                    if (pending.isEmpty()) {
                        chunksInMemory.acquire();
                        break;
                    }
                    write(pending, results);
                }
                List<Page> chunk = pages;
                pending.add(workers.submit(() -> Chunk.of(chunk, stages, ways, config.samples())));
                progress.update(pages.size(), reader.bytesRead() - bytesTold);
                bytesTold = reader.bytesRead();
            }
            while (!pending.isEmpty()) {
                write(pending, results);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(ExitCode.PREEMPTED, "stopped: the same command goes on from here", e);
        } finally {
            pending.forEach(chunk -> chunk.cancel(true));
            chunksInMemory.release(pending.size());
        }
    }

    private List<Page> read(PageReader reader) throws IOException {
        List<Page> pages = new ArrayList<>();
        long bytes = 0;
        while (pages.size() < CHUNK_PAGES && bytes < CHUNK_BYTES) {
            Optional<Page> page = reader.next();
            if (page.isEmpty()) {
                break;
            }
            pages.add(page.get());
            bytes += page.get().html().length + page.get().text().length();
        }
        return pages;
    }

    private void write(Queue<Future<Chunk>> pending, Results results) throws IOException, InterruptedException {
        try {
            results.add(pending.element().get());
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        } finally {
            pending.remove();
            chunksInMemory.release();
        }
    }
}
