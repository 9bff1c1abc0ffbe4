package org.quern.corpus.run;

import java.util.List;

/// What a run has set out to do: those who look at it while it goes on know by it what is done.
///
/// @param recipe of the stages, by its hash
/// @param samples of each reason
record Plan(String recipe, int samples, List<Partition> partitions) {}
