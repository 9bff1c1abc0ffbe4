package org.quern.corpus.extract;

import java.util.HashMap;
import java.util.Map;

/// Drops what stands in the text a second time: the copy for small screens, a notice in place of each embedded
/// video, an article that a gallery begins each picture with.
final class Repeats {
    /// Words of a block that no author writes twice.
    private static final int LONG = 10;

    private final Judgement judgement;
    private final Layout layout;

    private Repeats(Judgement judgement) {
        this.judgement = judgement;
        this.layout = judgement.layout;
    }

    /// @param element that holds the text; a lead before it is what is repeated, not what is said first
    static void drop(Judgement judgement, int element) {
        new Repeats(judgement).drop(judgement.layout.firsts[element], judgement.layout.lasts[element]);
    }

    private void drop(int from, int to) {
        Map<String, Integer> firsts = new HashMap<>();
        for (int b = from; b < to; b++) {
            if (!candidate(b)) {
                continue;
            }
            Integer first = firsts.putIfAbsent(layout.block(b), b);
            if (first != null
                    && apart(first, b)
                    && (alike(first - 1, b - 1, from, to) || alike(first + 1, b + 1, from, to))) {
                judgement.drop(b, Part.REPEATED);
                dropAround(first, b, -1, from);
                dropAround(first, b, 1, to - 1);
            }
        }
        for (int b = 0; b < from; b++) {
            if (candidate(b) && firsts.containsKey(layout.block(b))) {
                judgement.drop(b, Part.REPEATED);
            }
        }
    }

    private boolean candidate(int block) {
        return judgement.text(block) && layout.words[block] >= LONG && !verbatim(block);
    }

    /// Whether blocks stand in different elements: the paragraphs of one may repeat each other for effect,
    /// and the items of a list their descriptions.
    private boolean apart(int a, int b) {
        int parent = layout.parents[layout.owners[b]];
        return parent != layout.parents[layout.owners[a]] && (parent < 0 || layout.tags[parent] != Tag.ITEM);
    }

    private boolean alike(int a, int b, int from, int to) {
        return a >= from && b < to && same(a, b);
    }

    /// Short blocks beside a repeated one, as headings and items of lists, as far as they are the same, too.
    private void dropAround(int first, int repeated, int step, int end) {
        for (int a = first, b = repeated; b != end; ) {
            a += step;
            b += step;
            if (a < 0 || b == first || a == repeated || layout.words[b] >= LONG || verbatim(b) || !same(a, b)) {
                return;
            }
            judgement.drop(b, Part.REPEATED);
        }
    }

    private boolean verbatim(int block) {
        return layout.kinds[block] == Tag.PREFORMATTED || layout.kinds[block] == Tag.CELL;
    }

    private boolean same(int a, int b) {
        int length = layout.length(a);
        if (length != layout.length(b)) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (layout.text.charAt(layout.starts[a] + i) != layout.text.charAt(layout.starts[b] + i)) {
                return false;
            }
        }
        return true;
    }
}
