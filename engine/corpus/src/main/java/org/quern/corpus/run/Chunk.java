package org.quern.corpus.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;
import org.quern.corpus.language.LanguageStage;

/// Some pages of a partition behind the stages.
///
/// @param kept how many there are
/// @param frame those, for a [PageStore]
/// @param numbers of those: see [Duplicates#number]
/// @param signatures of those: see [Duplicates#signatures]
/// @param stages what each stage did
/// @param findings on all pages
/// @param samples of what was dropped and kept
record Chunk(
        int kept,
        byte[] frame,
        long[] numbers,
        List<long[][]> signatures,
        List<StageCount> stages,
        Findings findings,
        List<Sample> samples) {
    /// The stage that ends each pipeline.
    private static final String OUTPUT = "output";

    static Chunk of(List<Page> pages, List<Stage> stages, List<Duplicates.Way> ways, int samplesEach) {
        Pass pass = new Pass(stages);
        List<Page> kept =
                pages.stream().map(pass::take).flatMap(Optional::stream).toList();
        return new Chunk(
                kept.size(),
                kept.isEmpty() ? new byte[0] : PageStore.frame(kept),
                kept.stream().mapToLong(Duplicates::number).toArray(),
                Duplicates.signatures(ways, kept),
                List.copyOf(pass.counts),
                pass.findings,
                Sample.ofSmallest(pass.candidates, samplesEach));
    }

    /// The counts of a pipeline that saw nothing.
    static List<StageCount> none(List<Stage> stages) {
        List<StageCount> counts = new ArrayList<>();
        stages.forEach(stage -> counts.add(StageCount.none(stage.name())));
        counts.add(StageCount.none(OUTPUT));
        return counts;
    }

    /// Pages through the stages, and what is seen of them.
    private static final class Pass {
        private final List<Stage> stages;
        private final List<StageCount> counts;
        private final Findings findings = new Findings();
        private final List<Sample.Candidate> candidates = new ArrayList<>();

        Pass(List<Stage> stages) {
            this.stages = stages;
            counts = none(stages);
        }

        /// Empty if the page is dropped.
        Optional<Page> take(Page page) {
            findings.addFetched(page);
            Page now = page;
            for (int stage = 0; stage < stages.size(); stage++) {
                Optional<Page> kept = apply(stage, now, page.html());
                if (kept.isEmpty()) {
                    return kept;
                }
                now = kept.get();
            }
            long bytes = StageCount.bytes(now);
            if (now.text().isBlank()) {
                count(stages.size(), StageCount.dropped(OUTPUT, bytes, "no_text", 0));
                findings.addDropped(now, OUTPUT, "no_text");
                candidates.add(new Sample.Candidate(now, page.html(), OUTPUT, "no_text", 0, ""));
                return Optional.empty();
            }
            count(stages.size(), StageCount.kept(OUTPUT, bytes, bytes, 0));
            findings.addKept(now);
            candidates.add(new Sample.Candidate(now, page.html(), "", "kept", 0, ""));
            return Optional.of(now);
        }

        private Optional<Page> apply(int index, Page page, byte[] html) {
            Stage stage = stages.get(index);
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
                    count(index, StageCount.kept(stage.name(), bytes, StageCount.bytes(kept), seconds));
                    yield Optional.of(kept);
                }
                case Verdict.Dropped(String reason, double value, String evidence) -> {
                    count(index, StageCount.dropped(stage.name(), bytes, reason, seconds));
                    // What it drops, this stage has identified too.
                    Page seen = stage.name().equals(LanguageStage.NAME) ? page.withLanguage(evidence, value) : page;
                    findings.addDropped(seen, stage.name(), reason);
                    candidates.add(new Sample.Candidate(seen, html, stage.name(), reason, value, evidence));
                    yield Optional.empty();
                }
            };
        }

        private void count(int index, StageCount more) {
            counts.set(index, counts.get(index).plus(more));
        }
    }
}
