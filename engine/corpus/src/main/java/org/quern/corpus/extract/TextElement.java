package org.quern.corpus.extract;

import java.util.function.IntPredicate;

/// Finds the element that holds the page's text: the only one under a name that is given to the text alone, if it
/// holds enough of the prose, and from there (or from the body) down, as long as one child holds nearly all of it.
final class TextElement {
    /// The share of the prose of all elements of a name that makes one of them the only one.
    private static final double ONLY = 0.97;

    /// The share of the page's prose that is enough under such a name.
    private static final double ENOUGH = 0.4;

    private final Judgement judgement;
    private final Layout layout;

    TextElement(Judgement judgement) {
        this.judgement = judgement;
        this.layout = judgement.layout;
    }

    int find() {
        int element = only(e -> (layout.hints[e] & Hints.BODY) != 0);
        if (element == 0) {
            element = only(e -> layout.tags[e] == Tag.ARTICLE);
        }
        while (judgement.proseWithin(element) > 0) {
            int child = richest(element);
            if (child < 0
                    || !holdsBlocks(layout.tags[child])
                    || judgement.proseWithin(child) < share(child) * judgement.proseWithin(element)) {
                break;
            }
            element = child;
        }
        return element;
    }

    /// The element of a name that holds nearly all the prose under this name, or the body if there is none, or it
    /// holds too little of the page.
    private int only(IntPredicate named) {
        int richest = 0;
        long most = 0;
        long all = 0;
        for (int e = 1; e < layout.elements; ) {
            if (!named.test(e)) {
                e++;
                continue;
            }
            long prose = judgement.proseWithin(e);
            all += prose;
            if (prose > most) {
                most = prose;
                richest = e;
            }
            e = layout.nexts[e];
        }
        return most > ONLY * all && most > ENOUGH * judgement.proseOfAll() && holdsBlocks(layout.tags[richest])
                ? richest
                : 0;
    }

    private int richest(int element) {
        int richest = -1;
        for (int c = element + 1; c < layout.nexts[element]; c = layout.nexts[c]) {
            if (richest < 0 || judgement.proseWithin(c) > judgement.proseWithin(richest)) {
                richest = c;
            }
        }
        return richest;
    }

    private static boolean holdsBlocks(Tag tag) {
        return switch (tag) {
            case PARAGRAPH, ITEM, LIST, QUOTE -> false;
            default -> true;
        };
    }

    /// The share of the prose around it that `child` must hold to be the text alone.
    private double share(int child) {
        if (layout.tags[child] == Tag.MAIN) {
            return 0.5;
        }
        return (layout.hints[child] & Hints.CONTENT) != 0 ? 0.7 : 0.9;
    }

    /// Drops what is outside of the text's element, but for prose between the page's title and it.
    void dropOutside(int element) {
        int title = layout.blocks;
        for (int b = layout.firsts[element] - 1; b >= 0 && title == layout.blocks; b--) {
            title = layout.levels[b] == 1 ? b : title;
        }
        for (int b = 0; b < layout.blocks; b++) {
            boolean within = b >= layout.firsts[element] && b < layout.lasts[element];
            boolean lead = b > title && b < layout.firsts[element] && lead(b);
            if (!within && !lead) {
                judgement.drop(b, Part.OUTSIDE);
            }
        }
        judgement.sum();
    }

    private boolean lead(int block) {
        return layout.levels[block] != 1
                && layout.kinds[block] != Tag.CAPTION
                && layout.words[block] >= 10
                && layout.linked[block] * 3 < layout.length(block);
    }
}
