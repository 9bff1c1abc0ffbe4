package org.quern.corpus.filter;

import java.util.Optional;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;

/// Bounds on measures of a page, of which the first that is broken drops it. An empty bound is a rule that
/// is off, and a measure that is not a number breaks none.
final class Rules {
    private Verdict.Dropped dropped;

    Rules atLeast(String reason, double value, Optional<Double> least) {
        return check(least.isPresent() && value < least.get(), reason, value);
    }

    Rules atMost(String reason, double value, Optional<Double> most) {
        return check(most.isPresent() && value > most.get(), reason, value);
    }

    private Rules check(boolean broken, String reason, double value) {
        if (broken && dropped == null) {
            dropped = new Verdict.Dropped(reason, value);
        }
        return this;
    }

    boolean broken() {
        return dropped != null;
    }

    /// The page as it was when no rule is broken.
    Verdict verdict(Page page) {
        return broken() ? dropped : new Verdict.Kept(page);
    }
}
