package org.quern.corpus.run;

import java.util.List;
import java.util.SortedMap;

/// The marker that a partition is done, and what came of it.
///
/// @param partition as it was
/// @param recipe what the stages were, by its hash
/// @param pages kept
/// @param digest of the file of kept pages
/// @param passedOver records that hold no page, by what they are
/// @param bad records that are damaged, by how
record PartitionReport(
        Partition partition,
        String recipe,
        long pages,
        String digest,
        SortedMap<String, Long> passedOver,
        SortedMap<String, Long> bad,
        List<StageCount> stages) {}
