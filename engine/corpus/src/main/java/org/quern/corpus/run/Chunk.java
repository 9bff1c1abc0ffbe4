package org.quern.corpus.run;

import java.util.ArrayList;
import java.util.List;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Some pages of a partition behind the stages.
///
/// @param kept how many there are
/// @param frame those, for a [PageStore]
/// @param numbers of those: see [Duplicates#number]
/// @param signatures of those: see [Duplicates#signatures]
/// @param stages what each stage did
/// @param samples of what was dropped and kept
record Chunk(
        int kept,
        byte[] frame,
        long[] numbers,
        List<long[][]> signatures,
        List<StageCount> stages,
        List<Sample> samples) {
    /// The stage that ends each pipeline.
    private static final String OUTPUT = "output";

    static Chunk of(List<Page> pages, List<Stage> stages, List<Duplicates.Way> ways, int samplesEach) {
        List<StageCount> counts = none(stages);
        List<Page> kept = new ArrayList<>();
        List<Sample> samples = new ArrayList<>();
        for (Page page : pages) {
            Page now = page;
            int stage = 0;
            while (now != null && stage < stages.size()) {
                now = apply(stages.get(stage), now, page.html(), stage, counts, samples);
                stage++;
            }
            if (now == null) {
                continue;
            }
            long bytes = StageCount.bytes(now);
            if (now.text().isBlank()) {
                counts.set(stage, counts.get(stage).plus(StageCount.dropped(OUTPUT, bytes, "no_text", 0)));
                samples.add(Sample.of(now, page.html(), OUTPUT, "no_text", 0, ""));
            } else {
                counts.set(stage, counts.get(stage).plus(StageCount.kept(OUTPUT, bytes, bytes, 0)));
                samples.add(Sample.of(now, page.html(), "", "kept", 0, ""));
                kept.add(now);
            }
        }
        return new Chunk(
                kept.size(),
                kept.isEmpty() ? new byte[0] : PageStore.frame(kept),
                kept.stream().mapToLong(Duplicates::number).toArray(),
                Duplicates.signatures(ways, kept),
                List.copyOf(counts),
                Sample.smallest(samples, samplesEach));
    }

    /// The counts of a pipeline that saw nothing.
    static List<StageCount> none(List<Stage> stages) {
        List<StageCount> counts = new ArrayList<>();
        stages.forEach(stage -> counts.add(StageCount.none(stage.name())));
        counts.add(StageCount.none(OUTPUT));
        return counts;
    }

    /// Null if the page is dropped.
    private static Page apply(
            Stage stage, Page page, byte[] html, int index, List<StageCount> counts, List<Sample> samples) {
        long bytes = StageCount.bytes(page);
        long start = System.nanoTime();
        Verdict verdict;
        try {
            verdict = stage.apply(page);
        } catch (RuntimeException | StackOverflowError e) {
            throw new IllegalStateException("stage %s failed on page %s".formatted(stage.name(), page.id()), e);
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        return switch (verdict) {
            case Verdict.Kept(Page kept) -> {
                StageCount count = StageCount.kept(stage.name(), bytes, StageCount.bytes(kept), seconds);
                counts.set(index, counts.get(index).plus(count));
                yield kept;
            }
            case Verdict.Dropped(String reason, double value, String evidence) -> {
                StageCount count = StageCount.dropped(stage.name(), bytes, reason, seconds);
                counts.set(index, counts.get(index).plus(count));
                samples.add(Sample.of(page, html, stage.name(), reason, value, evidence));
                yield null;
            }
        };
    }
}
