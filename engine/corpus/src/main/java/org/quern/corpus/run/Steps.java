package org.quern.corpus.run;

import java.io.IOException;
import java.util.List;
import org.quern.corpus.duplicate.Clusters;

/// Who does the two steps that read and write pages: threads of this process, or tasks elsewhere. Either way the
/// same files come of them.
sealed interface Steps permits ThreadSteps, TaskSteps {
    /// Takes partitions through the stages; reports in their order.
    List<PartitionReport> pages(List<Partition> partitions) throws IOException;

    /// Writes files of what is left; results in their order.
    ///
    /// @param partitions all of the run
    /// @param clusters of duplicates, by way and snapshot
    List<ShardStep.Written> write(
            List<ShardStep.Shard> shards, List<Partition> partitions, List<List<Clusters>> clusters) throws IOException;
}
