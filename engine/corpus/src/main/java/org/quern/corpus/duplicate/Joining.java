package org.quern.corpus.duplicate;

import java.util.Arrays;

/// Joins pages to clusters: a union-find over page numbers, in which the smallest number of a cluster is
/// its root. What comes out does not depend on the order of the pairs, so several threads may bring them.
final class Joining {
    private static final long FREE = Long.MIN_VALUE;
    private static final long SPREAD = 0x9e3779b97f4a7c15L;

    private long[] pages = free(1 << 10);
    private long[] parents = new long[1 << 10];
    private int count;

    private static long[] free(int size) {
        long[] slots = new long[size];
        Arrays.fill(slots, FREE);
        return slots;
    }

    synchronized void join(long one, long other) {
        long oneRoot = root(one);
        long otherRoot = root(other);
        if (oneRoot != otherRoot) {
            parents[slot(Math.max(oneRoot, otherRoot))] = Math.min(oneRoot, otherRoot);
        }
    }

    synchronized Clusters clusters() {
        long[] joined = Arrays.stream(pages)
                .filter(page -> page != FREE && page != Clusters.KNOWN)
                .sorted()
                .toArray();
        return new Clusters(joined, Arrays.stream(joined).map(this::root).toArray());
    }

    private long root(long page) {
        long at = page;
        int slot = claim(at);
        while (parents[slot] != at) {
            // Each page on the way is moved up to its grandparent.
            parents[slot] = parents[slot(parents[slot])];
            at = parents[slot];
            slot = slot(at);
        }
        return at;
    }

    private int claim(long page) {
        int slot = slot(page);
        if (pages[slot] == FREE) {
            if (2 * (count + 1) > pages.length) {
                grow();
                slot = slot(page);
            }
            pages[slot] = page;
            parents[slot] = page;
            count++;
        }
        return slot;
    }

    private int slot(long page) {
        int mask = pages.length - 1;
        int slot = (int) (page * SPREAD >>> 32) & mask;
        while (pages[slot] != FREE && pages[slot] != page) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private void grow() {
        long[] oldPages = pages;
        long[] oldParents = parents;
        pages = free(2 * oldPages.length);
        parents = new long[pages.length];
        for (int i = 0; i < oldPages.length; i++) {
            if (oldPages[i] != FREE) {
                int slot = slot(oldPages[i]);
                pages[slot] = oldPages[i];
                parents[slot] = oldParents[i];
            }
        }
    }
}
