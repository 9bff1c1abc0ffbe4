package org.quern.corpus.archive;

import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/// Counts by name.
public final class Tally {
    private final SortedMap<String, Long> counts = new TreeMap<>();

    public void add(String name) {
        counts.merge(name, 1L, Long::sum);
    }

    public void addAll(Map<String, Long> others) {
        others.forEach((name, count) -> counts.merge(name, count, Long::sum));
    }

    public SortedMap<String, Long> counts() {
        return Collections.unmodifiableSortedMap(counts);
    }
}
