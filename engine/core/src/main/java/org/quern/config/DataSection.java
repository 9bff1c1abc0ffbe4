package org.quern.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.quern.data.Mixture;

/// The data: texts, a folder of token shards, or llm.c's `.bin` shards; or several of these as sources of a mixture.
///
/// @param text files of documents to train on: `.txt`, `.jsonl`, and both with `.gz`
/// @param shards a folder of token shards with its manifest
/// @param train `.bin` shards to train on
/// @param validation what to evaluate on, of the same kind as `text` or `train`
/// @param validationFraction share of the documents of `text` that are kept for evaluation when
///     `validation` is not given; 0.05 by default
/// @param sources of which each has one of `text`, `shards` and `train`
/// @param anneal how the weights of the sources change on the way
/// @param documentMask whether a token sees its own document only
public record DataSection(
        Optional<List<Path>> text,
        Optional<Path> shards,
        Optional<List<Path>> train,
        Optional<List<Path>> validation,
        @Range(above = 0, below = 1) Optional<Double> validationFraction,
        Optional<List<Source>> sources,
        Optional<List<Anneal>> anneal,
        @Default("false") boolean documentMask)
        implements Checked {

    /// Part of the weight of all sources that one must have, if it has any.
    private static final double LEAST = 1e-6;

    /// A source of a mixture.
    ///
    /// @param name by which metrics tell it from others; empty where there is no mixture
    /// @param weight its part of the samples, relative to the weights of the others
    /// @param maxEpochs how often a run may come round to each of its samples
    public record Source(
            String name,
            @Range(min = 0) double weight,

            @Range(above = 0) @Default("unlimited") @EmptyWord("unlimited")
            Optional<Double> maxEpochs,

            Optional<List<Path>> text,
            Optional<Path> shards,
            Optional<List<Path>> train,
            Optional<List<Path>> validation,
            @Range(above = 0, below = 1) Optional<Double> validationFraction)
            implements Checked {

        /// Whether there is something to evaluate on.
        boolean hasValidation() {
            return train.isEmpty() || validation.isPresent();
        }

        @Override
        public List<String> problems() {
            List<String> problems = new ArrayList<>();
            if (!name.matches(RunConfig.NAME)) {
                problems.add("name must be letters, digits, dots, dashes and underscores: got " + name);
            }
            List<String> given = given(text, shards, train);
            if (given.size() != 1) {
                problems.add("must have one of text, shards and train: got " + joined(given));
            }
            problems.addAll(fileProblems());
            return problems;
        }

        private List<String> fileProblems() {
            List<String> problems = new ArrayList<>();
            if (validation.isPresent() && shards.isPresent()) {
                problems.add("validation goes with text or train: shards have a part for it");
            }
            if (validationFraction.isPresent() && (text.isEmpty() || validation.isPresent())) {
                problems.add("validation_fraction goes with text without validation");
            }
            notEmpty(problems, "text", text);
            notEmpty(problems, "train", train);
            notEmpty(problems, "validation", validation);
            return problems;
        }

        private static void notEmpty(List<String> problems, String key, Optional<List<Path>> files) {
            if (files.filter(List::isEmpty).isPresent()) {
                problems.add(key + " must name at least one file");
            }
        }
    }

    /// A change of the weights.
    ///
    /// @param after how many steps it begins
    /// @param over how many steps it takes, in a straight line; 0: all at once
    /// @param weights of the sources from then on, in their order
    public record Anneal(
            @Range(min = 0, max = 1e9) long after,
            @Range(min = 0, max = 1e9) @Default("0") long over,
            @Range(min = 0) List<Double> weights) {}

    /// Whether several sources are mixed.
    public boolean isMixture() {
        return sources.isPresent();
    }

    /// The sources, or all data as one that has no name.
    public List<Source> all() {
        return sources.orElseGet(() ->
                List.of(new Source("", 1, Optional.empty(), text, shards, train, validation, validationFraction)));
    }

    /// The weights of the sources over the run.
    public List<Mixture.Phase> phases() {
        List<Mixture.Phase> phases = new ArrayList<>();
        phases.add(new Mixture.Phase(0, 0, all().stream().map(Source::weight).toList()));
        anneal.orElse(List.of())
                .forEach(each -> phases.add(new Mixture.Phase(each.after(), each.over(), each.weights())));
        return phases;
    }

    /// Whether any source has a key.
    <T> boolean any(Function<Source, Optional<T>> key) {
        return all().stream().map(key).anyMatch(Optional::isPresent);
    }

    boolean hasValidation() {
        return all().stream().anyMatch(Source::hasValidation);
    }

    @Override
    public List<String> problems() {
        List<String> given = given(text, shards, train);
        if (sources.isPresent()) {
            given.add("sources");
        }
        List<String> problems = new ArrayList<>();
        if (given.size() != 1) {
            problems.add("must have one of text, shards, train and sources: got " + joined(given));
        }
        if (sources.isPresent()) {
            mixtureProblems(problems);
        } else {
            problems.addAll(all().getFirst().fileProblems());
            if (anneal.isPresent()) {
                problems.add("anneal goes with sources, whose weights it changes");
            }
        }
        return problems;
    }

    private void mixtureProblems(List<String> problems) {
        if (validation.isPresent() || validationFraction.isPresent()) {
            problems.add("%s goes with each of the sources"
                    .formatted(validation.isPresent() ? "validation" : "validation_fraction"));
        }
        Set<String> names = new HashSet<>();
        sources.orElseThrow().stream()
                .map(Source::name)
                .filter(name -> !names.add(name))
                .distinct()
                .forEach(name -> problems.add("sources must have different names: got %s twice".formatted(name)));
        if (names.isEmpty()) {
            problems.add("sources must hold at least one");
            return;
        }
        weightProblem("sources must have weights", phases().getFirst().weights())
                .ifPresent(problems::add);
        List<Anneal> changes = anneal.orElse(List.of());
        long free = 0;
        for (int i = 0; i < changes.size(); i++) {
            Anneal change = changes.get(i);
            String key = "anneal[%d] must have ".formatted(i);
            if (change.weights().size() != names.size()) {
                problems.add(key
                        + "weights for the %d sources, in their order: got %d"
                                .formatted(names.size(), change.weights().size()));
            } else {
                weightProblem(key + "weights", change.weights()).ifPresent(problems::add);
            }
            if (change.after() < free) {
                problems.add(key
                        + "after of at least %d, when the change before is over: got %d"
                                .formatted(free, change.after()));
            }
            free = change.after() + change.over();
        }
    }

    private static Optional<String> weightProblem(String beginning, List<Double> weights) {
        double sum = weights.stream().mapToDouble(Double::doubleValue).sum();
        if (sum == 0) {
            return Optional.of(beginning + " of which one is above 0");
        }
        return weights.stream()
                .filter(weight -> weight > 0 && weight < sum * LEAST)
                .findFirst()
                .map(weight -> beginning + " of 0 or at least a millionth of their sum: got " + weight);
    }

    private static List<String> given(Optional<?> text, Optional<?> shards, Optional<?> train) {
        List<String> given = new ArrayList<>();
        text.ifPresent(_ -> given.add("text"));
        shards.ifPresent(_ -> given.add("shards"));
        train.ifPresent(_ -> given.add("train"));
        return given;
    }

    private static String joined(List<String> given) {
        return given.isEmpty() ? "none" : String.join(" and ", given);
    }
}
