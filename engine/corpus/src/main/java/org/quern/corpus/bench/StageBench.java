package org.quern.corpus.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.quern.base.QuernException;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.duplicate.Fingerprints;
import org.quern.corpus.duplicate.Scheme;
import org.quern.corpus.fasttext.FastTextModel;
import org.quern.corpus.filter.C4Quality;
import org.quern.corpus.filter.Decontamination;
import org.quern.corpus.filter.FineWebQuality;
import org.quern.corpus.filter.GopherQuality;
import org.quern.corpus.filter.GopherRepetition;
import org.quern.corpus.filter.PersonalData;
import org.quern.corpus.filter.UrlFilter;
import org.quern.corpus.filter.UrlLists;
import org.quern.corpus.language.LanguageStage;

/// Applies each stage to the same documents and takes the processor's time for it, which other programs on
/// the machine do not lengthen as they do the clock's.
public final class StageBench {
    /// A text is cut into documents of so many characters at most, at the end of a line where there is one.
    public static final int DOCUMENT = 3000;

    private static final int WARMING_ROUNDS = 3;
    /// A round goes over the documents again until it has taken so long.
    private static final double ROUND_SECONDS = 0.1;

    private StageBench() {}

    /// @param stage measured
    /// @param documentsPerSecond of one core, the median of the rounds
    /// @param megabytesPerSecond of one core, in UTF-8
    public record Speed(String stage, double documentsPerSecond, double megabytesPerSecond) {}

    /// Measures all stages, each by itself on the whole text.
    ///
    /// @param model for the language; without one that stage is left out
    /// @param languageCharacters of a document that are read for its language; empty for all
    /// @param rounds that count, after three that do not
    public static List<Speed> measure(
            String text, Optional<FastTextModel> model, Optional<Integer> languageCharacters, int rounds) {
        List<Page> pages = pages(text);
        if (pages.isEmpty()) {
            throw QuernException.data("a text to measure with has a line at least");
        }
        double bytes = text.getBytes(StandardCharsets.UTF_8).length;
        List<Speed> speeds = new ArrayList<>();
        stages(model, languageCharacters).forEach((name, work) -> {
            double[] seconds = new double[rounds];
            for (int round = -WARMING_ROUNDS; round < rounds; round++) {
                double taken = seconds(pages, work);
                if (round >= 0) {
                    seconds[round] = taken;
                }
            }
            Arrays.sort(seconds);
            double median = seconds[rounds / 2];
            speeds.add(new Speed(name, pages.size() / median, bytes / median / 1e6));
        });
        return speeds;
    }

    /// Of one pass over the documents.
    private static double seconds(List<Page> pages, Consumer<Page> work) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long start = threads.getCurrentThreadCpuTime();
        double seconds = 0;
        int passes = 0;
        while (seconds < ROUND_SECONDS) {
            pages.forEach(work);
            passes++;
            seconds = (threads.getCurrentThreadCpuTime() - start) / 1e9;
        }
        return seconds / passes;
    }

    private static Map<String, Consumer<Page>> stages(
            Optional<FastTextModel> model, Optional<Integer> languageCharacters) {
        Map<String, Consumer<Page>> stages = new LinkedHashMap<>();
        List<Stage> all = new ArrayList<>();
        all.add(new UrlFilter(UrlLists.builtIn(), 2));
        model.ifPresent(read -> all.add(new LanguageStage(read, Set.of(), 0, languageCharacters)));
        all.add(new GopherRepetition(GopherRepetition.Settings.DEFAULT));
        all.add(new GopherQuality(GopherQuality.Settings.DEFAULT));
        all.add(new C4Quality(C4Quality.Settings.DEFAULT));
        all.add(new FineWebQuality(FineWebQuality.Settings.DEFAULT));
        all.add(new PersonalData(PersonalData.Settings.ALL));
        all.add(new Decontamination(
                List.of(new Decontamination.Evaluated("none", "")), Decontamination.DEFAULT_WORDS, 1));
        all.forEach(stage -> stages.put(stage.name(), stage::apply));
        stages.put("exact", signing(Scheme.EXACT));
        stages.put("minhash", signing(Scheme.MINHASH));
        return stages;
    }

    private static Consumer<Page> signing(Scheme scheme) {
        Fingerprints fingerprints = new Fingerprints(scheme);
        long[] signature = new long[scheme.size()];
        return page -> fingerprints.sign(page.text(), signature);
    }

    static List<Page> pages(String text) {
        List<Page> pages = new ArrayList<>();
        for (int start = 0; start < text.length(); ) {
            int end = Math.min(text.length(), start + DOCUMENT);
            int line = end == text.length() ? end : text.lastIndexOf('\n', end);
            end = line > start ? line : end;
            Page.Origin origin = new Page.Origin("bench", start, 0, "", "");
            pages.add(Page.ofText(origin, "https://www.example.org/a/page-" + start, "", text.substring(start, end)));
            start = end;
        }
        return pages;
    }
}
