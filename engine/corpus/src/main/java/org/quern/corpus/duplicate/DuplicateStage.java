package org.quern.corpus.duplicate;

import java.util.function.ToLongFunction;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Drops pages for which another is kept, and notes on the kept ones how many there were.
///
/// The reason of a drop is `duplicate` (the evidence is the kept page's number) or `known` (a page of an
/// earlier run is the same); the value is the size of the cluster.
///
/// @param name of the stage and of the score that is kept (`near_duplicates`)
/// @param number of a page, as its signature was written with
public record DuplicateStage(String name, Clusters clusters, ToLongFunction<Page> number) implements Stage {
    @Override
    public Verdict apply(Page page) {
        long own = number.applyAsLong(page);
        long keeper = clusters.keeper(own);
        int size = clusters.size(own);
        if (keeper == own) {
            return new Verdict.Kept(page.withScore(name, size));
        }
        return keeper == Clusters.KNOWN
                ? new Verdict.Dropped("known", size)
                : new Verdict.Dropped("duplicate", size, Long.toString(keeper));
    }
}
