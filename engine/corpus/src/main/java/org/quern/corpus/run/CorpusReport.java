package org.quern.corpus.run;

import java.util.List;
import java.util.Optional;
import java.util.SortedMap;

/// What a run made of its inputs: `report.json`. It is the same for the same inputs and config.
///
/// @param files of the input
/// @param inputBytes of those, as they are stored
/// @param passedOver records that hold no page, by what they are
/// @param bad records that are damaged, by how
/// @param stages in the order in which pages go through them
/// @param output the pages of the corpus
/// @param dropped the pages that some stage dropped, as they were then
/// @param duplicates of each stage that looks for them
/// @param domains the thousand with the most pages
/// @param shards the Parquet files, in order
/// @param tokens empty if the config asks for none
public record CorpusReport(
        int version,
        long files,
        long inputBytes,
        SortedMap<String, Long> passedOver,
        SortedMap<String, Long> bad,
        List<StageResult> stages,
        Shape.Summary output,
        Shape.Summary dropped,
        List<SampledClusters.Count> duplicates,
        Domains.Table domains,
        List<String> shards,
        Optional<Tokens> tokens) {
    static final int VERSION = 2;
    static final int DOMAINS = 1000;

    /// @param vocabulary size of the tokenizer's
    public record Tokens(int vocabulary, long train, long validation) {}

    /// What a stage did. Bytes are those of the HTML until a page has text, and then of its text as UTF-8.
    ///
    /// @param dropped pages by reason
    public record StageResult(
            String name, long pagesIn, long bytesIn, long pagesOut, long bytesOut, SortedMap<String, Long> dropped) {
        static StageResult of(StageCount count) {
            return new StageResult(
                    count.name(),
                    count.pagesIn(),
                    count.bytesIn(),
                    count.pagesOut(),
                    count.bytesOut(),
                    count.dropped());
        }
    }
}
