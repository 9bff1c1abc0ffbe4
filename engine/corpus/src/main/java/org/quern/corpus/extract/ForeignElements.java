package org.quern.corpus.extract;

/// Drops elements whose names or tags tell that they hold something else than the page's own text: navigation,
/// comments, advertisements. Names lie, and sites name their own text so too; a name that would take a large
/// share of the page's prose is not believed.
final class ForeignElements {
    /// Prose that must remain without comments: less is no article, and the comments are the page's text.
    private static final int LEAST_BESIDE_COMMENTS = 300;

    private final Judgement judgement;
    private final Layout layout;

    ForeignElements(Judgement judgement) {
        this.judgement = judgement;
        this.layout = judgement.layout;
    }

    /// @param hints the names looked at, of [Hints#FOREIGN]
    void drop(int hints) {
        dropNamed(hints & Hints.COMMENTS);
        dropNamed(hints & Hints.HIDDEN);
        dropNamed(hints & ~(Hints.COMMENTS | Hints.HIDDEN));
        dropTagged();
    }

    private void dropNamed(int hints) {
        long total = judgement.proseOfAll();
        int believed = 0;
        for (int hint = Integer.lowestOneBit(hints); hint != 0 && hint <= hints; hint <<= 1) {
            if ((hints & hint) != 0 && proseNamed(hint) <= limit(hint, total)) {
                believed |= hint;
            }
        }
        for (int e = 1; e < layout.elements; ) {
            if (foreign(e, layout.hints[e] & believed, total)) {
                judgement.dropElement(e, Part.FOREIGN);
                e = layout.nexts[e];
            } else {
                e++;
            }
        }
        judgement.sum();
    }

    private static double limit(int hint, long total) {
        return switch (hint) {
            case Hints.COMMENTS -> total - LEAST_BESIDE_COMMENTS;
            case Hints.SIDE, Hints.HIDDEN -> 0.5 * total;
            case Hints.FOOTER -> 0.7 * total;
            default -> 0.35 * total;
        };
    }

    private long proseNamed(int hint) {
        long prose = 0;
        for (int e = 1; e < layout.elements; ) {
            if ((layout.hints[e] & hint) != 0 && (layout.hints[e] & Hints.BODY) == 0) {
                prose += judgement.proseWithin(e);
                e = layout.nexts[e];
            } else {
                e++;
            }
        }
        return prose;
    }

    private boolean foreign(int element, int hints, long total) {
        if (hints == 0 || (layout.hints[element] & Hints.BODY) != 0) {
            return false;
        }
        if ((layout.hints[element] & Hints.CONTENT) != 0
                && (hints & (Hints.COMMENTS | Hints.HIDDEN)) == 0
                && judgement.proseWithin(element) >= 0.15 * total) {
            return false;
        }
        // what leads to other pages has links; without them it is the lead of this one
        return hints != Hints.RELATED || judgement.linkDensity(element) >= 0.05;
    }

    private void dropTagged() {
        long total = judgement.proseOfAll();
        for (int e = 1; e < layout.elements; ) {
            boolean foreign = switch (layout.tags[e]) {
                case FOOTER -> judgement.proseWithin(e) < 0.7 * total;
                case NAVIGATION, ASIDE, FORM -> judgement.proseWithin(e) < 0.35 * total;
                default -> false;
            };
            if (foreign) {
                judgement.dropElement(e, Part.FOREIGN);
                e = layout.nexts[e];
            } else {
                e++;
            }
        }
        judgement.sum();
    }
}
