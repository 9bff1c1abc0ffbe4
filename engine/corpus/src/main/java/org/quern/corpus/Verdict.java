package org.quern.corpus;

/// What a [Stage] makes of a page.
public sealed interface Verdict {
    /// The page goes on, as it was or changed.
    record Kept(Page page) implements Verdict {}

    /// The page ends here.
    ///
    /// @param reason the rule, in words of `[a-z0-9_]` (`short_lines`), the same for all pages it drops
    /// @param value what the rule measured (0.71 of the lines are short), or 1 for a rule that measures nothing
    /// @param evidence what it found there (the blocked word), briefly; empty if the value says all
    record Dropped(String reason, double value, String evidence) implements Verdict {
        public Dropped(String reason, double value) {
            this(reason, value, "");
        }
    }
}
