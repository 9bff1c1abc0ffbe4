package org.quern.corpus.run;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import org.quern.data.Sha256;

/// Where a run keeps what.
///
/// @param path of the folder
record RunFolder(Path path) {
    private static final int KEY_DIGITS = 24;

    Path config() {
        return path.resolve("config.yaml");
    }

    Path report() {
        return path.resolve("report.json");
    }

    Path samples() {
        return path.resolve("samples.jsonl");
    }

    /// A [DuplicateCluster] a line.
    Path clusters() {
        return path.resolve("clusters.jsonl");
    }

    /// Parquet.
    Path text() {
        return path.resolve("text");
    }

    Path tokens() {
        return path.resolve("tokens");
    }

    /// What steps leave for later ones.
    Path work() {
        return path.resolve("work");
    }

    /// The run's [Plan].
    Path plan() {
        return work().resolve("plan.json");
    }

    /// Which pages are the same, found in one way.
    Path clusters(String way, int snapshot) {
        return work().resolve("clusters").resolve(way + "-" + snapshot);
    }

    Path pages(String partition) {
        return work(partition, ".pages");
    }

    /// The [Duplicates#number] of each of those, as big-endian longs.
    Path numbers(String partition) {
        return work(partition, ".numbers");
    }

    Path samples(String partition) {
        return work(partition, ".samples");
    }

    /// [Findings.Stored] of a partition, or of a file of `text/`.
    Path findings(String name) {
        return work(name, ".findings");
    }

    Path partitionReport(String partition) {
        return work(partition, ".json");
    }

    private Path work(String partition, String suffix) {
        return work().resolve(key(partition) + suffix);
    }

    /// What files of a partition are called by.
    static String key(String partition) {
        return hash(partition).substring(0, KEY_DIGITS);
    }

    static String hash(String text) {
        return HexFormat.of().formatHex(Sha256.of(text.getBytes(StandardCharsets.UTF_8)));
    }
}
