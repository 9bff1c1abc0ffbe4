package org.quern.corpus.extract;

/// Finds the element that holds the page's text: from the body down, as long as one child holds nearly all the
/// prose, or enough of it under a name that is given to the text alone.
final class TextElement {
    private final Judgement judgement;
    private final Layout layout;
    /// Characters of prose in the blocks before each block that stand in an element named or tagged as an article.
    private final long[] named;

    TextElement(Judgement judgement) {
        this.judgement = judgement;
        this.layout = judgement.layout;
        this.named = new long[layout.blocks + 1];
        sumNamed();
    }

    private boolean named(int element) {
        return (layout.hints[element] & Hints.BODY) != 0 || layout.tags[element] == Tag.ARTICLE;
    }

    private void sumNamed() {
        int block = 0;
        for (int e = 1; e < layout.elements; ) {
            if (!named(e)) {
                e++;
                continue;
            }
            for (; block < layout.lasts[e]; block++) {
                boolean counts = block >= layout.firsts[e] && judgement.text(block) && judgement.prose(block);
                named[block + 1] = named[block] + (counts ? layout.length(block) - layout.linked[block] : 0);
            }
            e = layout.nexts[e];
        }
        for (; block < layout.blocks; block++) {
            named[block + 1] = named[block];
        }
    }

    int find() {
        int element = 0;
        while (judgement.proseWithin(element) > 0) {
            int child = richest(element);
            if (child < 0
                    || !holdsBlocks(layout.tags[child])
                    || judgement.proseWithin(child) < share(child, element) * judgement.proseWithin(element)) {
                break;
            }
            element = child;
        }
        return element;
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

    /// The share of the prose in `element` that `child` must hold to be the text alone.
    private double share(int child, int element) {
        long namedInAll = named[layout.lasts[element]] - named[layout.firsts[element]];
        if (named(child) && judgement.proseWithin(child) > 0.97 * namedInAll) {
            return 0.4;
        }
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
                && layout.kinds[block] != Tag.ITEM
                && layout.words[block] >= 10
                && layout.linked[block] * 3 < layout.length(block);
    }
}
