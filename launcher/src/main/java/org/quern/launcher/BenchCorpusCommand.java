package org.quern.launcher;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.corpus.bench.StageBench;
import org.quern.corpus.language.LanguageIdentifier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `quern bench corpus`: how fast one core takes documents through each stage of the corpus pipeline.
@Command(
        name = "corpus",
        description = {
            "Measures the stages of the corpus pipeline on documents of 3 kB.",
            "Prints documents and megabytes a second of processor time on one core, the median of the rounds."
        })
final class BenchCorpusCommand implements Callable<Integer> {
    @Mixin
    private TextOption text;

    @Option(
            names = "--language-model",
            paramLabel = "FILE",
            description = "lid.176.ftz; without it languages are not measured.")
    private Optional<Path> languageModel = Optional.empty();

    @Option(
            names = "--language-characters",
            paramLabel = "N",
            description = "Of a document that are read for its language; 0: all. ${DEFAULT-VALUE} by default.")
    private int languageCharacters = 600;

    @Option(names = "--rounds", description = "Rounds that count; ${DEFAULT-VALUE} by default.")
    private int rounds = 5;

    @Override
    public Integer call() {
        if (rounds < 1) {
            throw new QuernException(ExitCode.USAGE, "--rounds must be at least 1: got " + rounds);
        }
        List<StageBench.Speed> speeds = StageBench.measure(
                text.read(),
                languageModel.map(LanguageIdentifier::readModel),
                Optional.of(languageCharacters).filter(characters -> characters > 0),
                rounds);
        System.out.printf("%-20s %12s %8s%n", "stage", "documents/s", "MB/s");
        for (StageBench.Speed speed : speeds) {
            System.out.printf(
                    "%-20s %12.0f %8.1f%n", speed.stage(), speed.documentsPerSecond(), speed.megabytesPerSecond());
        }
        return ExitCode.OK.code();
    }
}
