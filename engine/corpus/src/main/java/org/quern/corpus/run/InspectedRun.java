package org.quern.corpus.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;

/// A run to be looked at, as it was when it was read: finished, or as far as it has come. Samples stay in
/// their files; in memory are the beginnings of them.
public final class InspectedRun {
    /// Files of an unfinished run that samples are taken from.
    private static final int SAMPLED_PARTITIONS = 16;

    private static final int BEGINNING = 200;

    private final RunFolder run;
    private final String state;
    private final int partitions;
    private final int done;
    private final CorpusReport report;
    private final List<Head> samples = new ArrayList<>();
    private final List<JsonLines.Place> samplePlaces = new ArrayList<>();
    private final List<ClusterHead> clusters = new ArrayList<>();
    private final List<JsonLines.Place> clusterPlaces = new ArrayList<>();

    /// A sample without its page.
    ///
    /// @param number for [#sample(int)]
    /// @param beginning of its text
    public record Head(
            int number,
            String stage,
            String reason,
            double value,
            String evidence,
            String url,
            String language,
            int htmlBytes,
            int textCharacters,
            String beginning) {}

    /// A cluster without its pages' texts.
    ///
    /// @param number for [#cluster(int)]
    /// @param url of the page that is kept, or of the first one known
    /// @param beginning of its text
    public record ClusterHead(int number, String stage, long pages, String url, String beginning) {}

    private record Placed(JsonLines.Place place, String chance, Head head) {}

    private InspectedRun(RunFolder run) {
        this.run = run;
        state = state(run);
        if (Files.exists(run.report())) {
            report = finished(run);
            partitions = (int) report.files();
            done = partitions;
            JsonLines.forEach(run.samples(), Sample.class, (place, sample) -> {
                samples.add(head(samples.size(), sample));
                samplePlaces.add(place);
            });
            JsonLines.forEach(run.clusters(), DuplicateCluster.class, (place, cluster) -> {
                clusters.add(head(clusters.size(), cluster));
                clusterPlaces.add(place);
            });
        } else {
            Plan plan = read(run.plan(), Plan.class);
            List<PartitionReport> reports = plan.partitions().stream()
                    .map(partition -> done(run, plan, partition))
                    .flatMap(Optional::stream)
                    .toList();
            partitions = plan.partitions().size();
            done = reports.size();
            report = unfinished(run, reports);
            readSamples(
                    plan.samples(),
                    reports.stream()
                            .map(PartitionReport::partition)
                            .limit(SAMPLED_PARTITIONS)
                            .toList());
        }
    }

    /// Reads a run.
    ///
    /// @param folder of `quern corpus build --run`
    /// @throws QuernException saying what is missing, if it is no such folder
    public static InspectedRun read(Path folder) {
        RunFolder run = new RunFolder(folder);
        if (!Files.isDirectory(folder)) {
            throw QuernException.data("%s: expected the folder of a run of quern corpus build, found %s"
                    .formatted(folder, Files.exists(folder) ? "a file" : "nothing"));
        }
        if (!Files.exists(run.report()) && !Files.exists(run.plan())) {
            throw QuernException.data(
                    "%s is no run of quern corpus build: it holds neither report.json nor work/plan.json%s"
                            .formatted(
                                    folder,
                                    Files.exists(folder.resolve("metrics.jsonl"))
                                            ? "; it is a training run, which quern dashboard shows"
                                            : ""));
        }
        return new InspectedRun(run);
    }

    private static <T> T read(Path file, Class<T> type) {
        try {
            return Json.MAPPER.treeToValue(Json.readObject(file), type);
        } catch (JacksonException e) {
            throw QuernException.data("%s is not what quern corpus build writes: %s: the same command writes it anew"
                    .formatted(file, e.getOriginalMessage()));
        }
    }

    private static CorpusReport finished(RunFolder run) {
        int version = Json.readObject(run.report()).path("version").asInt(0);
        if (version != CorpusReport.VERSION) {
            throw QuernException.data(
                    "%s: expected version %d, found %d: quern corpus build with the same config and --run writes it anew"
                            .formatted(run.report(), CorpusReport.VERSION, version));
        }
        return read(run.report(), CorpusReport.class);
    }

    /// Empty as long as it is not done by the stages of the plan.
    private static Optional<PartitionReport> done(RunFolder run, Plan plan, Partition partition) {
        Path file = run.partitionReport(partition.name());
        if (!Files.exists(file) || !Files.exists(run.findings(partition.name()))) {
            return Optional.empty();
        }
        return Optional.of(read(file, PartitionReport.class))
                .filter(report -> report.recipe().equals(plan.recipe()));
    }

    private static CorpusReport unfinished(RunFolder run, List<PartitionReport> reports) {
        PagesSummary pages = PagesSummary.of(run, reports);
        Findings.Stored findings = pages.findings().stored(CorpusReport.DOMAINS);
        return new CorpusReport(
                CorpusReport.VERSION,
                reports.size(),
                reports.stream().mapToLong(report -> report.partition().size()).sum(),
                pages.passedOver().counts(),
                pages.bad().counts(),
                pages.stages().stream().map(CorpusReport.StageResult::of).toList(),
                findings.kept(),
                findings.dropped(),
                List.of(),
                findings.domains(),
                List.of(),
                Optional.empty());
    }

    private void readSamples(int each, List<Partition> from) {
        Map<String, List<Placed>> byReason = new LinkedHashMap<>();
        for (Partition partition : from) {
            JsonLines.forEach(
                    run.samples(partition.name()),
                    Sample.class,
                    (place, sample) -> byReason.computeIfAbsent(
                                    sample.stage() + "." + sample.reason(), _ -> new ArrayList<>())
                            .add(new Placed(place, sample.chance(), head(0, sample))));
        }
        byReason.values()
                .forEach(all -> all.stream()
                        .sorted(Comparator.comparing(Placed::chance))
                        .limit(each)
                        .forEach(placed -> {
                            Head head = placed.head;
                            samples.add(new Head(
                                    samples.size(),
                                    head.stage,
                                    head.reason,
                                    head.value,
                                    head.evidence,
                                    head.url,
                                    head.language,
                                    head.htmlBytes,
                                    head.textCharacters,
                                    head.beginning));
                            samplePlaces.add(placed.place);
                        }));
    }

    private static Head head(int number, Sample sample) {
        return new Head(
                number,
                sample.stage(),
                sample.reason(),
                sample.value(),
                sample.evidence(),
                sample.url(),
                sample.language(),
                sample.htmlBytes(),
                sample.textCharacters(),
                beginning(sample.text()));
    }

    private static ClusterHead head(int number, DuplicateCluster cluster) {
        DuplicateCluster.Member first = cluster.members().getFirst();
        return new ClusterHead(number, cluster.stage(), cluster.pages(), first.url(), beginning(first.text()));
    }

    private static String beginning(String text) {
        return text.substring(0, Math.min(text.length(), BEGINNING)).replaceAll("\\s+", " ");
    }

    /// What changes when there is more to see.
    private static String state(RunFolder run) {
        try {
            if (Files.exists(run.report())) {
                return "finished " + Files.getLastModifiedTime(run.report());
            }
            Plan plan = read(run.plan(), Plan.class);
            long done = plan.partitions().stream()
                    .filter(partition -> Files.exists(run.partitionReport(partition.name())))
                    .count();
            return "%s %d %s".formatted(plan.recipe(), done, Files.getLastModifiedTime(run.plan()));
        } catch (IOException e) {
            throw QuernException.io("%s cannot be read".formatted(run.path()), e);
        }
    }

    /// Whether the folder has not changed since.
    public boolean isCurrent() {
        return state.equals(state(run));
    }

    /// Whether all is done.
    public boolean isFinished() {
        return done == partitions && Files.exists(run.report());
    }

    /// Files of the input.
    public int partitions() {
        return partitions;
    }

    /// Files of the input whose pages have gone through the stages.
    public int done() {
        return done;
    }

    /// Of the whole run, or of what is done of it: then without duplicates.
    public CorpusReport report() {
        return report;
    }

    /// The config, as YAML.
    public String config() {
        try {
            return Files.readString(run.config());
        } catch (IOException e) {
            throw QuernException.io("%s cannot be read".formatted(run.config()), e);
        }
    }

    /// By stage and reason.
    public List<Head> samples() {
        return List.copyOf(samples);
    }

    /// @throws QuernException if there is no such sample
    public Sample sample(int number) {
        return place(samplePlaces, number, "sample").read(Sample.class);
    }

    /// By stage, the largest first.
    public List<ClusterHead> clusters() {
        return List.copyOf(clusters);
    }

    /// @throws QuernException if there is no such cluster
    public DuplicateCluster cluster(int number) {
        return place(clusterPlaces, number, "cluster").read(DuplicateCluster.class);
    }

    private static JsonLines.Place place(List<JsonLines.Place> places, int number, String what) {
        if (number < 0 || number >= places.size()) {
            throw QuernException.data("there is no %s %d: there are %d".formatted(what, number, places.size()));
        }
        return places.get(number);
    }
}
