package org.quern.corpus.extract;

/// Drops from the text's element what does not belong to the text: lists of links, captions, the author's name
/// and the date, lines and sections that lead to other pages.
final class Strays {
    private final Judgement judgement;
    private final Layout layout;
    private final int from;
    private final int to;

    private Strays(Judgement judgement, int element) {
        this.judgement = judgement;
        this.layout = judgement.layout;
        this.from = layout.firsts[element];
        this.to = layout.lasts[element];
    }

    /// @param element that holds the text
    static void drop(Judgement judgement, int element) {
        Strays strays = new Strays(judgement, element);
        Repeats.drop(judgement, element);
        strays.dropElements(element);
        strays.dropBlocks();
        strays.dropMargins();
        strays.dropPointers();
        strays.dropTeasers();
        strays.dropLinkedHeadings();
        strays.dropEmptyHeadings();
    }

    private void dropElements(int element) {
        for (int e = element + 1; e < layout.nexts[element]; ) {
            Part part = switch (layout.tags[e]) {
                case FIGURE -> judgement.proseWithin(e) < 300 ? Part.CAPTION : Part.TEXT;
                case CONTAINER, LIST, DEFINITIONS, TABLE ->
                    judgement.proseWithin(e) == 0 && judgement.linkDensity(e) > 0.6 ? Part.LINKS : Part.TEXT;
                default -> Part.TEXT;
            };
            if (part == Part.TEXT) {
                e++;
            } else {
                judgement.dropElement(e, part);
                e = layout.nexts[e];
            }
        }
    }

    private void dropBlocks() {
        for (int b = from; b < to; b++) {
            if (layout.kinds[b] == Tag.CAPTION) {
                judgement.drop(b, Part.CAPTION);
            } else if (layout.levels[b] == 0 && layout.linked[b] > 0.7 * layout.length(b)) {
                judgement.drop(b, Part.LINKS);
            }
        }
    }

    private void dropMargins() {
        int first = to;
        int last = to;
        for (int b = from; b < to; b++) {
            if (judgement.text(b) && judgement.prose(b)) {
                first = Math.min(first, b);
                last = b;
            }
        }
        if (first == to) {
            return;
        }
        for (int b = from; b < first; b++) {
            boolean line = layout.kinds[b] == Tag.CONTAINER || layout.words[b] < 5;
            if (layout.levels[b] == 0 ? line : layout.levels[b] == 1 || layout.facts.calledSo(layout.block(b))) {
                judgement.drop(b, Part.MARGIN);
            }
        }
        for (int b = last + 1; b < to; b++) {
            if (layout.levels[b] > 0 || layout.kinds[b] == Tag.CONTAINER && layout.sentences[b] == 0) {
                judgement.drop(b, Part.MARGIN);
            }
        }
        for (int b = first; b < last; b++) {
            if (layout.words[b] == 0 && layout.kinds[b] != Tag.CELL && layout.kinds[b] != Tag.PREFORMATTED) {
                judgement.drop(b, Part.MARGIN);
            }
        }
    }

    /// Characters of text up to each block, that included; the last entry is all.
    private long[] lengths() {
        long[] lengths = new long[to - from + 1];
        for (int b = from; b < to; b++) {
            lengths[b - from + 1] = lengths[b - from] + (judgement.text(b) ? layout.length(b) : 0);
        }
        return lengths;
    }

    /// The block after `heading` that is a heading of its level or a higher one.
    private int sectionEnd(int heading, int lowest) {
        int end = heading + 1;
        while (end < to && !(judgement.text(end) && layout.levels[end] > 0 && layout.levels[end] <= lowest)) {
            end++;
        }
        return end;
    }

    /// The end of the smallest element that holds a heading and something after it.
    private int boxEnd(int heading) {
        int element = layout.owners[heading];
        while (element > 0 && layout.lasts[element] == heading + 1 && layout.firsts[element] >= from) {
            element = layout.parents[element];
        }
        return layout.lasts[element];
    }

    private void dropPointers() {
        long[] lengths = lengths();
        long total = lengths[to - from];
        for (int b = from; b < to; b++) {
            boolean line = judgement.text(b)
                    && layout.words[b] <= 14
                    && layout.kinds[b] != Tag.CELL
                    && layout.kinds[b] != Tag.PREFORMATTED;
            if (!line || !Phrases.begins(layout.text, layout.starts[b], layout.ends[b])) {
                continue;
            }
            if (layout.levels[b] == 0) {
                judgement.drop(b, Part.POINTER);
            } else if (layout.words[b] <= 10) {
                int next = sectionEnd(b, 6);
                int box = boxEnd(b);
                boolean brief = lengths[next - from] - lengths[b - from + 1] < 600;
                if (brief || lengths[b - from + 1] > total / 2) {
                    judgement.dropRange(b, Math.min(box, sectionEnd(b, layout.levels[b])), Part.POINTER);
                }
            }
        }
    }

    /// A row of at least two teasers that ends the text.
    private void dropTeasers() {
        long[] lengths = lengths();
        long total = lengths[to - from];
        int begin = -1;
        int end = -1;
        int count = 0;
        for (int b = from; b < to; b++) {
            if (!judgement.text(b) || layout.levels[b] == 0) {
                continue;
            }
            int next = sectionEnd(b, 6);
            if (linkedHeading(b) && lengths[next - from] - lengths[b - from + 1] < 400) {
                begin = end == b ? begin : b;
                count = end == b ? count + 1 : 1;
                end = next;
            }
        }
        if (count > 1 && lengths[begin - from + 1] > 0.3 * total && lengths[end - from] > 0.85 * total) {
            judgement.dropRange(begin, end, Part.TEASER);
        }
    }

    /// Headings that are links to other pages, in a box with more than the heading, as a date, and without prose.
    private void dropLinkedHeadings() {
        for (int b = from; b < to; b++) {
            int box = layout.parents[layout.owners[b]];
            if (judgement.text(b)
                    && layout.levels[b] > 0
                    && linkedHeading(b)
                    && layout.lasts[box] - layout.firsts[box] > 1
                    && judgement.proseWithin(box) == 0) {
                judgement.drop(b, Part.TEASER);
            }
        }
    }

    private boolean linkedHeading(int block) {
        return layout.linked[block] > 0.8 * layout.length(block);
    }

    /// Headings that are links and have nothing under them.
    private void dropEmptyHeadings() {
        boolean followed = false;
        for (int b = to - 1; b >= from; b--) {
            if (!judgement.text(b)) {
                continue;
            }
            if (layout.levels[b] > 0 && !followed && layout.linked[b] * 2 > layout.length(b)) {
                judgement.drop(b, Part.LINKS);
            }
            followed = layout.levels[b] == 0;
        }
    }
}
