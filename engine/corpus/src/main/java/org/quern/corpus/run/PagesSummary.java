package org.quern.corpus.run;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.quern.base.Json;
import org.quern.corpus.archive.Tally;

/// What came of the pages of some partitions, before they are compared with each other.
///
/// @param passedOver records that hold no page, by what they are
/// @param bad records that are damaged, by how
/// @param stages empty for no partitions
record PagesSummary(Tally passedOver, Tally bad, List<StageCount> stages, Findings findings) {
    /// @param reports in the order of the inputs
    static PagesSummary of(RunFolder run, List<PartitionReport> reports) {
        PagesSummary sum = new PagesSummary(new Tally(), new Tally(), new ArrayList<>(), new Findings());
        for (PartitionReport report : reports) {
            sum.passedOver.addAll(report.passedOver());
            sum.bad.addAll(report.bad());
            List<StageCount> stages =
                    sum.stages.isEmpty() ? report.stages() : StageCount.sum(sum.stages, report.stages());
            sum.stages.clear();
            sum.stages.addAll(stages);
            sum.findings.addAll(Findings.read(run.findings(report.partition().name())));
        }
        return sum;
    }

    /// Of all partitions, the samples of the smallest chance.
    static List<Sample> samples(RunFolder run, List<Partition> partitions, int count) throws IOException {
        List<Sample> samples = new ArrayList<>();
        for (Partition partition : partitions) {
            for (String line : Files.readAllLines(run.samples(partition.name()))) {
                samples.add(Json.MAPPER.readValue(line, Sample.class));
            }
            samples = new ArrayList<>(Sample.smallest(samples, count));
        }
        return samples;
    }
}
