package org.quern.corpus.run;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.quern.corpus.Page;

/// What pages look like: by language and by length.
final class Shape {
    private long pages;
    private long textBytes;
    private final SortedMap<String, Long> languages = new TreeMap<>();
    private final SortedMap<Long, Long> lengths = new TreeMap<>();

    /// For JSON.
    ///
    /// @param languages pages by their language, empty for those of which it was not identified
    /// @param lengths pages by the bytes of their text: from a power of two up to the next, 0 for those without
    record Summary(long pages, long textBytes, Map<String, Long> languages, Map<Long, Long> lengths) {}

    static Shape of(Summary summary) {
        Shape shape = new Shape();
        shape.pages = summary.pages;
        shape.textBytes = summary.textBytes;
        shape.languages.putAll(summary.languages);
        shape.lengths.putAll(summary.lengths);
        return shape;
    }

    void add(Page page) {
        long bytes = StageCount.textBytes(page);
        pages++;
        textBytes += bytes;
        languages.merge(page.language(), 1L, Long::sum);
        lengths.merge(Long.highestOneBit(bytes), 1L, Long::sum);
    }

    void addAll(Shape other) {
        pages += other.pages;
        textBytes += other.textBytes;
        other.languages.forEach((language, count) -> languages.merge(language, count, Long::sum));
        other.lengths.forEach((length, count) -> lengths.merge(length, count, Long::sum));
    }

    Summary summary() {
        return new Summary(pages, textBytes, new TreeMap<>(languages), new TreeMap<>(lengths));
    }
}
