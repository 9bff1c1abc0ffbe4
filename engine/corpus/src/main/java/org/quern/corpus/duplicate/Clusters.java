package org.quern.corpus.duplicate;

import java.nio.file.Path;
import java.util.Arrays;
import org.quern.base.QuernException;

/// Which pages are the same: of each cluster the one with the smallest number is kept. Immutable, shared by
/// threads; 24 bytes for each page that has a duplicate.
///
/// Its file is that of a bucket with one hash ([SignatureFile]): the page, and the page kept for it.
public final class Clusters {
    /// Stands for a page of an earlier run, before all others.
    public static final long KNOWN = -1;

    private static final Scheme FILE = new Scheme(1, 1, 0, 0);
    private static final int BUFFER_BYTES = 1 << 16;

    private final long[] pages;
    private final long[] keepers;
    private final long[] sortedKeepers;

    /// @param pages in ascending order
    /// @param keepers the page kept for each
    Clusters(long[] pages, long[] keepers) {
        this.pages = pages;
        this.keepers = keepers;
        sortedKeepers = keepers.clone();
        Arrays.sort(sortedKeepers);
    }

    /// The page that is kept in the place of this one: itself, another, or [#KNOWN].
    public long keeper(long page) {
        int at = Arrays.binarySearch(pages, page);
        return at < 0 ? page : keepers[at];
    }

    /// How many pages of this run are the same as this one, itself included.
    public int size(long page) {
        long keeper = keeper(page);
        int first = firstAtLeast(keeper);
        int after = firstAtLeast(keeper + 1);
        return Math.max(1, after - first);
    }

    private int firstAtLeast(long keeper) {
        int low = 0;
        int high = sortedKeepers.length;
        while (low < high) {
            int middle = low + high >>> 1;
            if (sortedKeepers[middle] < keeper) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// The pages that have duplicates or are some, in ascending order.
    public long[] pages() {
        return pages.clone();
    }

    /// The kept page of each cluster of this run, in ascending order.
    public long[] keepers() {
        return Arrays.stream(sortedKeepers)
                .filter(keeper -> keeper != KNOWN)
                .distinct()
                .toArray();
    }

    public void write(Path path) {
        try (SignatureFile.Writer out = new SignatureFile.Writer(path, FILE, 0, pages.length, BUFFER_BYTES)) {
            for (int i = 0; i < pages.length; i++) {
                out.add(new long[] {pages[i], keepers[i]}, 0, 2);
            }
            out.finish();
        }
    }

    /// @throws QuernException naming the file, when it is missing or damaged
    public static Clusters read(Path path) {
        try (SignatureFile.Reader in = new SignatureFile.Reader(path, FILE, 0, BUFFER_BYTES, false)) {
            long[] pages = new long[Math.toIntExact(in.records())];
            long[] keepers = new long[pages.length];
            for (int i = 0; in.advance(); i++) {
                pages[i] = in.record()[0];
                keepers[i] = in.record()[1];
            }
            return new Clusters(pages, keepers);
        }
    }
}
