package org.quern.corpus.duplicate;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.base.QuernException;
import org.quern.corpus.Parallel;

/// Merges the signature files of all tasks, a bucket at a time, and joins the pages that have equal
/// records.
///
/// Memory: the buffers of the files merged at once, and 40 bytes for each page that is a duplicate or has
/// one.
public final class DuplicateFinder {
    private static final int MOST_FILES = 256;

    private final Scheme scheme;
    private final int threads;
    private final int bufferBytes;

    /// @param threads buckets merged at once
    /// @param memoryBytes what buffers may take
    public DuplicateFinder(Scheme scheme, int threads, long memoryBytes) {
        this.scheme = scheme;
        this.threads = threads;
        bufferBytes = Math.clamp(memoryBytes / threads / (MOST_FILES + 1), 1 << 10, 1 << 20);
    }

    static Path bucketFolder(Path folder, int bucket) {
        return folder.resolve("bucket-%03d".formatted(bucket));
    }

    /// Finds the pages to keep.
    ///
    /// @param folder of the signatures of the pages in question
    /// @param known folders of signatures of earlier runs: pages that are the same as one of theirs are not
    ///     kept
    /// @throws QuernException naming the file, when one is damaged or of another scheme
    public Clusters find(Path folder, List<Path> known) {
        Joining joining = new Joining();
        Parallel.all(
                IntStream.range(0, scheme.buckets())
                        .mapToObj(bucket -> Executors.callable(() -> merge(folder, known, bucket, joining)))
                        .toList(),
                threads);
        return joining.clusters();
    }

    private void merge(Path folder, List<Path> known, int bucket, Joining joining) {
        List<Path> merged = new ArrayList<>();
        try {
            List<Path> current = files(folder, bucket, folder, merged);
            List<Path> earlier = new ArrayList<>();
            for (Path other : known) {
                earlier.addAll(files(other, bucket, folder, merged));
            }
            join(current, earlier, bucket, joining);
        } finally {
            merged.forEach(DuplicateFinder::delete);
        }
    }

    /// A folder's files of a bucket, merged to larger ones in `work` while there are more than are to be
    /// open.
    private List<Path> files(Path folder, int bucket, Path work, List<Path> merged) {
        List<Path> files;
        try (Stream<Path> listed = Files.list(bucketFolder(folder, bucket))) {
            files = new ArrayList<>(listed.filter(file -> file.toString().endsWith(".sig"))
                    .sorted()
                    .toList());
        } catch (NoSuchFileException e) {
            throw QuernException.data("no signatures in " + bucketFolder(folder, bucket));
        } catch (IOException e) {
            throw QuernException.io(bucketFolder(folder, bucket) + " cannot be listed", e);
        }
        int most = MOST_FILES / 4;
        while (files.size() > most) {
            List<Path> first = files.subList(0, most);
            Path target = bucketFolder(work, bucket).resolve("merged-%03d.run".formatted(merged.size()));
            merged.add(target);
            mergeTo(target, first, bucket);
            first.clear();
            files.add(target);
        }
        return files;
    }

    private void mergeTo(Path target, List<Path> files, int bucket) {
        try (Merge merge = new Merge(files, List.of(), bucket);
                SignatureFile.Writer out =
                        new SignatureFile.Writer(target, scheme, bucket, merge.records(), bufferBytes)) {
            for (long[] record = merge.next(); record.length > 0; record = merge.next()) {
                out.add(record, 0, record.length);
            }
            out.finish();
        }
    }

    private void join(List<Path> current, List<Path> earlier, int bucket, Joining joining) {
        long[] leader = new long[0];
        try (Merge merge = new Merge(current, earlier, bucket)) {
            for (long[] record = merge.next(); record.length > 0; record = merge.next()) {
                if (leader.length == 0 || SignatureFile.compare(leader, 0, record, 0, scheme.hashes()) != 0) {
                    leader = record.clone();
                } else if (leader[scheme.hashes()] != record[scheme.hashes()]) {
                    joining.join(leader[scheme.hashes()], record[scheme.hashes()]);
                }
            }
        }
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw QuernException.io(file + " cannot be deleted", e);
        }
    }

    /// The records of several files in one order.
    private final class Merge implements AutoCloseable {
        private static final long[] END = {};

        private final List<SignatureFile.Reader> readers = new ArrayList<>();
        private final PriorityQueue<SignatureFile.Reader> next = new PriorityQueue<>(
                (one, other) -> SignatureFile.compare(one.record(), 0, other.record(), 0, scheme.hashes() + 1));
        private SignatureFile.Reader last;

        Merge(List<Path> current, List<Path> earlier, int bucket) {
            try {
                for (Path file : current) {
                    readers.add(new SignatureFile.Reader(file, scheme, bucket, bufferBytes, false));
                }
                for (Path file : earlier) {
                    readers.add(new SignatureFile.Reader(file, scheme, bucket, bufferBytes, true));
                }
                readers.stream().filter(SignatureFile.Reader::advance).forEach(next::add);
            } catch (QuernException e) {
                close();
                throw e;
            }
        }

        long records() {
            return readers.stream().mapToLong(SignatureFile.Reader::records).sum();
        }

        /// The next record, good until the next call; empty at the end.
        long[] next() {
            if (last != null && last.advance()) {
                next.add(last);
            }
            last = next.poll();
            return last == null ? END : last.record();
        }

        @Override
        public void close() {
            readers.forEach(SignatureFile.Reader::close);
        }
    }
}
