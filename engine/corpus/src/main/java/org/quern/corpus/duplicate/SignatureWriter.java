package org.quern.corpus.duplicate;

import java.nio.file.Path;
import java.util.Arrays;

/// Collects the signatures of a task's pages and writes them sorted, a file a bucket:
/// `bucket-007/TASK-000.sig`. When its memory is full it writes what it has and begins `TASK-001.sig`.
public final class SignatureWriter {
    private static final int BUFFER_BYTES = 1 << 16;

    private final Path folder;
    private final String task;
    private final Scheme scheme;
    private final int row;
    private final long[] rows;
    private int count;
    private int files;

    /// @param task unique among the tasks that write to this folder; a task that is done again replaces its
    ///     files
    /// @param memoryBytes what signatures may take
    public SignatureWriter(Path folder, String task, Scheme scheme, long memoryBytes) {
        this.folder = folder;
        this.task = task;
        this.scheme = scheme;
        row = scheme.size() + 1;
        // Sorting takes two ints a page besides.
        long pages = memoryBytes / (Long.BYTES * (row + 1L));
        rows = new long[row * Math.clamp(pages, 1, (Integer.MAX_VALUE - 8) / row)];
    }

    /// @param page the page's number, not negative; of pages that are the same the one with the smallest is
    ///     kept
    public void add(long page, long[] signature) {
        if ((count + 1) * row > rows.length) {
            flush();
        }
        System.arraycopy(signature, 0, rows, count * row, scheme.size());
        rows[count * row + scheme.size()] = page;
        count++;
    }

    /// Writes what is left. Every bucket has a file, even of no pages, so that a task that wrote none is
    /// told from one that had none.
    public void finish() {
        if (count > 0 || files == 0) {
            flush();
        }
    }

    private void flush() {
        for (int bucket = 0; bucket < scheme.buckets(); bucket++) {
            int[] order = sorted(bucket * scheme.hashes());
            Path file = DuplicateFinder.bucketFolder(folder, bucket).resolve("%s-%03d.sig".formatted(task, files));
            long[] record = new long[scheme.hashes() + 1];
            try (SignatureFile.Writer out = new SignatureFile.Writer(file, scheme, bucket, count, BUFFER_BYTES)) {
                for (int i = 0; i < count; i++) {
                    System.arraycopy(rows, order[i] * row + bucket * scheme.hashes(), record, 0, scheme.hashes());
                    record[scheme.hashes()] = rows[order[i] * row + scheme.size()];
                    out.add(record, 0, record.length);
                }
                out.finish();
            }
        }
        files++;
        count = 0;
    }

    /// The rows in the order of a bucket's hashes and then of the pages, by merging runs of growing length.
    private int[] sorted(int at) {
        int[] from = new int[count];
        Arrays.setAll(from, i -> i);
        int[] to = new int[count];
        for (int width = 1; width < count; width *= 2) {
            for (int start = 0; start < count; start += 2 * width) {
                int middle = Math.min(start + width, count);
                int end = Math.min(start + 2 * width, count);
                int left = start;
                int right = middle;
                for (int i = start; i < end; i++) {
                    boolean takeLeft = right == end || left < middle && compare(from[left], from[right], at) <= 0;
                    to[i] = takeLeft ? from[left++] : from[right++];
                }
            }
            int[] swapped = from;
            from = to;
            to = swapped;
        }
        return from;
    }

    private int compare(int one, int other, int at) {
        int byHashes = SignatureFile.compare(rows, one * row + at, rows, other * row + at, scheme.hashes());
        return byHashes != 0
                ? byHashes
                : Long.compare(rows[one * row + scheme.size()], rows[other * row + scheme.size()]);
    }
}
