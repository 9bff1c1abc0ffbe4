package org.quern.corpus.extract;

import java.util.Arrays;

/// Which part of the page each block of a layout is held to be, and sums over those held to be text.
final class Judgement {
    final Layout layout;
    private final Part[] parts;
    /// Characters of prose in the blocks before each block.
    private final long[] prose;
    /// Characters in the blocks before each block that are no headings, and those of them that are links.
    private final long[] lengths;

    private final long[] links;

    Judgement(Layout layout) {
        this.layout = layout;
        parts = new Part[layout.blocks];
        Arrays.fill(parts, Part.TEXT);
        prose = new long[layout.blocks + 1];
        lengths = new long[layout.blocks + 1];
        links = new long[layout.blocks + 1];
        sum();
    }

    Part part(int block) {
        return parts[block];
    }

    boolean text(int block) {
        return parts[block] == Part.TEXT;
    }

    /// Sums follow only with [#sum].
    void drop(int block, Part part) {
        if (text(block)) {
            parts[block] = part;
        }
    }

    void dropElement(int element, Part part) {
        dropRange(layout.firsts[element], layout.lasts[element], part);
    }

    void dropRange(int from, int to, Part part) {
        for (int b = from; b < to; b++) {
            drop(b, part);
        }
    }

    /// Whether the block reads like running text.
    boolean prose(int block) {
        return layout.levels[block] == 0
                && layout.words[block] >= 10
                && (layout.sentences[block] > 0 || layout.words[block] >= 20)
                && layout.linked[block] * 3 < layout.length(block);
    }

    void sum() {
        for (int b = 0; b < layout.blocks; b++) {
            int length = layout.length(b);
            int linked = layout.linked[b];
            boolean counts = text(b) && layout.levels[b] == 0;
            prose[b + 1] = prose[b] + (text(b) && prose(b) ? length - linked : 0);
            lengths[b + 1] = lengths[b] + (counts ? length : 0);
            links[b + 1] = links[b] + (counts ? linked : 0);
        }
    }

    /// Characters of prose in the page.
    long proseOfAll() {
        return prose[layout.blocks];
    }

    long proseWithin(int element) {
        return prose[layout.lasts[element]] - prose[layout.firsts[element]];
    }

    /// The share of links in an element's text but its headings, in [0, 1].
    double linkDensity(int element) {
        long length = lengths[layout.lasts[element]] - lengths[layout.firsts[element]];
        long linked = links[layout.lasts[element]] - links[layout.firsts[element]];
        return length == 0 ? 0 : (double) linked / length;
    }

    /// Characters held to be text.
    int length() {
        int length = 0;
        for (int b = 0; b < layout.blocks; b++) {
            length += text(b) ? layout.length(b) : 0;
        }
        return length;
    }
}
