package org.quern.corpus.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.quern.corpus.Page;

/// What a stage did. Bytes are those of the HTML until a page has text, and then of its text as UTF-8.
///
/// @param dropped pages by reason
/// @param seconds of one core
public record StageCount(
        String name,
        long pagesIn,
        long bytesIn,
        long pagesOut,
        long bytesOut,
        SortedMap<String, Long> dropped,
        double seconds) {
    static StageCount none(String name) {
        return new StageCount(name, 0, 0, 0, 0, new TreeMap<>(), 0);
    }

    StageCount plus(StageCount other) {
        SortedMap<String, Long> sum = new TreeMap<>(dropped);
        other.dropped.forEach((reason, count) -> sum.merge(reason, count, Long::sum));
        return new StageCount(
                name,
                pagesIn + other.pagesIn,
                bytesIn + other.bytesIn,
                pagesOut + other.pagesOut,
                bytesOut + other.bytesOut,
                sum,
                seconds + other.seconds);
    }

    /// The sums of two lists of the same stages.
    static List<StageCount> sum(List<StageCount> one, List<StageCount> other) {
        List<StageCount> sum = new ArrayList<>();
        for (int i = 0; i < one.size(); i++) {
            sum.add(one.get(i).plus(other.get(i)));
        }
        return sum;
    }

    /// Of one page.
    static StageCount kept(String name, long bytesIn, long bytesOut, double seconds) {
        return new StageCount(name, 1, bytesIn, 1, bytesOut, new TreeMap<>(), seconds);
    }

    /// Of one page.
    static StageCount dropped(String name, long bytesIn, String reason, double seconds) {
        return new StageCount(name, 1, bytesIn, 0, 0, new TreeMap<>(Map.of(reason, 1L)), seconds);
    }

    static long bytes(Page page) {
        return page.text().isEmpty() ? page.html().length : textBytes(page);
    }

    /// As UTF-8.
    static long textBytes(Page page) {
        String text = page.text();
        long length = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            // Each half of a pair is two of its four bytes.
            length += c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
        }
        return length;
    }
}
