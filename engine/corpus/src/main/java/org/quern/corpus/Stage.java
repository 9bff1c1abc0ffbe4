package org.quern.corpus;

/// A step of the pipeline: a pure function of a page, and of the settings and models it was made with. One stage
/// serves many threads. It copes with any page: what it throws is a defect, which ends the run.
public interface Stage {
    /// Unique in a pipeline, in words of `[a-z0-9_]` (`gopher_quality`): what the report calls it.
    String name();

    Verdict apply(Page page);
}
