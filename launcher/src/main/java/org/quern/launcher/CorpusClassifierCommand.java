package org.quern.launcher;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.corpus.fasttext.BinaryEvaluation;
import org.quern.corpus.fasttext.ClassifierTrainer;
import org.quern.corpus.quality.LabelledTexts;
import org.quern.corpus.quality.QualityTrainer;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `quern corpus classifier`: models that tell good pages from others.
@Command(
        name = "classifier",
        description = "Trains the classifier that corpus build keeps good pages by.",
        synopsisSubcommandLabel = "VERB",
        subcommands = CorpusClassifierCommand.Train.class)
final class CorpusClassifierCommand {
    private CorpusClassifierCommand() {}

    /// `quern corpus classifier train`.
    @Command(
            name = "train",
            description = {
                "Learns from texts to keep and from texts to drop, by their words and n-grams of words, as fastText does."
                        + " The same texts and settings give the same model, which fastText reads too.",
                "Measures it on texts that it has not seen, and suggests from which score on to keep pages."
            })
    static final class Train implements Callable<Integer> {
        private static final double[] RECALLS = {0.99, 0.95, 0.9};
        private static final double[] PRECISIONS = {0.9, 0.95, 0.99};
        private static final double NANOSECONDS = 1e9;
        private static final long INTERVAL = 200_000_000;

        @Option(
                names = "--positive",
                required = true,
                arity = "1..*",
                paramLabel = "FILE",
                description = "Texts to keep: .txt, .jsonl, .parquet, .warc and others, folders and patterns of them.")
        private List<Path> positive;

        @Option(
                names = "--negative",
                required = true,
                arity = "1..*",
                paramLabel = "FILE",
                description = "Texts to drop, likewise: ordinary pages, for example.")
        private List<Path> negative;

        @Option(names = "--output", required = true, paramLabel = "MODEL", description = "The .bin file to write.")
        private Path output;

        @Option(
                names = "--held-out",
                paramLabel = "SHARE",
                description = "Of the texts, to measure with; ${DEFAULT-VALUE} by default.")
        private double heldOut = 0.1;

        @Option(names = "--ngrams", description = "The longest n-grams of words; ${DEFAULT-VALUE} by default.")
        private int ngrams = ClassifierTrainer.Settings.DEFAULT.wordNgrams();

        @Option(names = "--dimension", description = "Numbers to a word; ${DEFAULT-VALUE} by default.")
        private int dimension = ClassifierTrainer.Settings.DEFAULT.dimension();

        @Option(names = "--buckets", description = "That n-grams are hashed to; ${DEFAULT-VALUE} by default.")
        private int buckets = ClassifierTrainer.Settings.DEFAULT.buckets();

        @Option(names = "--epochs", description = "Passes over the texts; ${DEFAULT-VALUE} by default.")
        private int epochs = ClassifierTrainer.Settings.DEFAULT.epochs();

        @Option(names = "--learning-rate", description = "At the start; ${DEFAULT-VALUE} by default.")
        private double learningRate = ClassifierTrainer.Settings.DEFAULT.learningRate();

        @Option(names = "--seed", description = "Of the order and the first weights; ${DEFAULT-VALUE} by default.")
        private long seed = ClassifierTrainer.Settings.DEFAULT.seed();

        private final Terminal terminal = Terminal.error();
        private long began;
        private long shown;

        @Override
        public Integer call() {
            if (!(heldOut > 0 && heldOut < 1)) {
                throw new QuernException(ExitCode.USAGE, "--held-out must be between 0 and 1: got " + heldOut);
            }
            Path folder = output.toAbsolutePath().getParent();
            if (!Files.isDirectory(folder) || Files.isDirectory(output)) {
                throw new QuernException(
                        ExitCode.USAGE, "--output must be a file in a folder that is there: got " + output);
            }
            ClassifierTrainer.Settings settings = new ClassifierTrainer.Settings(
                    dimension,
                    ngrams,
                    buckets,
                    ClassifierTrainer.Settings.DEFAULT.minCount(),
                    epochs,
                    learningRate,
                    seed);
            terminal.print("reading texts");
            List<String> good = LabelledTexts.read(positive);
            List<String> others = LabelledTexts.read(negative);
            terminal.print("training on %,d positive and %,d negative texts".formatted(good.size(), others.size()));
            began = System.nanoTime();
            QualityTrainer trained = QualityTrainer.train(good, others, heldOut, settings, this::show);
            terminal.status("");
            trained.model().write(output);
            System.out.print(report(trained));
            return ExitCode.OK.code();
        }

        private void show(long done, long total) {
            long now = System.nanoTime();
            if (terminal.isInteractive() && now - shown > INTERVAL) {
                shown = now;
                double seconds = (now - began) / NANOSECONDS;
                terminal.status("%s %d %%  %,.0f texts/s, %s left"
                        .formatted(
                                ProgressDisplay.bar(done, total),
                                100 * done / total,
                                done / seconds,
                                Units.duration(seconds * (total - done) / done)));
            }
        }

        private String report(QualityTrainer trained) {
            BinaryEvaluation held = trained.evaluation();
            StringBuilder out = new StringBuilder("%s: trained on %,d texts%s%n"
                    .formatted(
                            output,
                            trained.trained(),
                            trained.repeated() == 0
                                    ? ""
                                    : "; %,d that came before were left out".formatted(trained.repeated())));
            out.append(String.format(
                    Locale.ROOT,
                    "held out: %,d positive, %,d negative, AUC %.4f%n",
                    held.positive().length,
                    held.negative().length,
                    held.auc()));
            out.append("%-18s %9s %10s %8s %15s%n"
                    .formatted("keep", "min_score", "precision", "recall", "negatives kept"));
            row(out, "score 0.5", held.at(0.5));
            row(out, "best F1", held.bestF1());
            for (double recall : RECALLS) {
                row(out, "recall " + recall, held.withRecall(recall));
            }
            for (double precision : PRECISIONS) {
                Optional<BinaryEvaluation.Cut> cut = held.withPrecision(precision);
                if (cut.isPresent()) {
                    row(out, "precision " + precision, cut.get());
                }
            }
            return out.append("for corpus build: --set \"quality={model: %s, label: %s, min_score: %s}\"%n"
                            .formatted(output, QualityTrainer.POSITIVE, score(held.bestF1())))
                    .toString();
        }

        private static void row(StringBuilder out, String name, BinaryEvaluation.Cut cut) {
            out.append(String.format(
                    Locale.ROOT,
                    "%-18s %9s %10.4f %8.4f %15.4f%n",
                    name,
                    score(cut),
                    cut.precision(),
                    cut.recall(),
                    cut.negativesKept()));
        }

        /// Rounded down, so that what is kept here is kept by the figure.
        private static String score(BinaryEvaluation.Cut cut) {
            return String.format(Locale.ROOT, "%.4f", Math.floor(cut.threshold() * 10_000) / 10_000);
        }
    }
}
