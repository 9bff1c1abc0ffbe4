package org.quern.train;

import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.quern.base.QuernException;
import org.quern.config.DataSection;
import org.quern.config.RunConfig;
import org.quern.data.Mixture;

/// What a run takes of each of its sources.
///
/// @param rows of the sources in their order
/// @param problems sources that would be read more often than they may
public record MixturePlan(List<Row> rows, List<String> problems) {
    /// A source.
    ///
    /// @param tokens to train on, where that is known
    /// @param firstShare of the samples of the first step
    /// @param lastShare of the samples of the last step
    /// @param tokensTaken in the whole run
    /// @param epochs how often the run comes round to each sample, on average, where that is known
    /// @param maxEpochs how often it may
    public record Row(
            String name,
            OptionalLong tokens,
            double firstShare,
            double lastShare,
            long tokensTaken,
            OptionalDouble epochs,
            Optional<Double> maxEpochs) {

        @Override
        public String toString() {
            String first = "%.1f %%".formatted(100 * firstShare);
            String last = "%.1f %%".formatted(100 * lastShare);
            return line(
                    name,
                    tokens.isPresent() ? "%,d".formatted(tokens.getAsLong()) : "not known",
                    first.equals(last) ? first : first + " to " + last,
                    "%,d".formatted(tokensTaken),
                    epochs.isPresent() ? "%.2f".formatted(epochs.getAsDouble()) : "",
                    maxEpochs.map(MixturePlan::number).orElse("unlimited"));
        }

        private static String line(
                String name, String tokens, String weight, String taken, String epochs, String most) {
            return String.format(
                    Locale.ROOT, "%-16s %17s %18s %20s %8s %11s", name, tokens, weight, taken, epochs, most);
        }
    }

    /// Plans a run whose data are open.
    static MixturePlan of(RunConfig config, RunData data) {
        return of(
                config,
                data.corpora().stream()
                        .map(corpus -> OptionalLong.of(corpus.train().tokens()))
                        .toList());
    }

    /// Plans a run whose data need not be there. Texts are known once they are tokens in the run's folder.
    public static MixturePlan of(RunConfig config, Path run) {
        return of(config, RunData.tokensThere(config, run));
    }

    private static MixturePlan of(RunConfig config, List<OptionalLong> tokens) {
        List<Row> rows = new ArrayList<>();
        List<String> problems = new ArrayList<>();
        List<DataSection.Source> sources = config.data().all();
        Mixture mixture = config.mixture();
        long steps = config.train().steps();
        int length = config.train().sequenceLength();
        for (int i = 0; i < sources.size(); i++) {
            DataSection.Source source = sources.get(i);
            long samples = mixture.count(i, steps * config.train().globalBatch());
            OptionalDouble epochs = tokens.get(i).stream()
                    .filter(there -> there > length)
                    .mapToDouble(there -> (double) samples / ((there - 1) / length))
                    .findFirst();
            rows.add(new Row(
                    source.name(),
                    tokens.get(i),
                    mixture.share(i, 0),
                    mixture.share(i, Math.max(0, steps - 1)),
                    samples * length,
                    epochs,
                    source.maxEpochs()));
            if (epochs.orElse(0) > source.maxEpochs().orElse(Double.MAX_VALUE)) {
                problems.add(problem(config, mixture, i, tokens.get(i).getAsLong(), rows.getLast()));
            }
        }
        return new MixturePlan(rows, problems);
    }

    private static String problem(RunConfig config, Mixture mixture, int source, long tokens, Row row) {
        double most = row.maxEpochs().orElseThrow();
        int length = config.train().sequenceLength();
        long allowed = (long) (most * ((tokens - 1) / length));
        long low = 0;
        long high = config.train().steps();
        while (low < high) {
            long middle = (low + high + 1) / 2;
            if (mixture.count(source, middle * config.train().globalBatch()) <= allowed) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return String.format(
                Locale.ROOT,
                "data.sources[%d].max_epochs must be at least %.2f for what the run takes of %s: it has %,d tokens to"
                        + " train on, and the run asks for %,d (lower its weight, lower train.steps to %d, give it more"
                        + " data, or raise max_epochs from %s)",
                source,
                Math.ceil(100 * row.epochs().orElseThrow()) / 100,
                row.name(),
                tokens,
                row.tokensTaken(),
                low,
                number(most));
    }

    private static String number(double value) {
        return BigDecimal.valueOf(value).stripTrailingZeros().toPlainString();
    }

    /// @throws QuernException if a source would be read more often than it may
    void requireWithinLimits() {
        if (!problems.isEmpty()) {
            throw QuernException.data(this + "\n" + String.join("\n", problems));
        }
    }

    /// Part of each source in the whole run.
    List<Double> shares() {
        long all = rows.stream().mapToLong(Row::tokensTaken).sum();
        return rows.stream()
                .map(row -> all == 0 ? row.firstShare() : (double) row.tokensTaken() / all)
                .toList();
    }

    /// A table for people.
    @Override
    public String toString() {
        return rows.stream()
                .map(Row::toString)
                .collect(Collectors.joining(
                        "\n",
                        Row.line("source", "tokens", "weight", "tokens of the run", "epochs", "at most") + "\n",
                        ""));
    }
}
