package org.quern.corpus.bench;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.quern.base.QuernException;
import org.quern.corpus.Page;
import org.quern.corpus.duplicate.Clusters;
import org.quern.corpus.duplicate.DuplicateFinder;
import org.quern.corpus.duplicate.Fingerprints;
import org.quern.corpus.duplicate.Scheme;
import org.quern.corpus.duplicate.SignatureWriter;
import org.quern.corpus.filter.NormalText;

/// Plants a near copy of each document among the documents, and looks which are found: all the way through
/// signatures, their files and clusters.
public final class DuplicateBench {
    /// Edits for each word.
    public static final List<Double> EDIT_RATES = List.of(0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2);

    private static final Scheme SCHEME = Scheme.MINHASH;
    private static final long MEMORY = 64 << 20;

    private final List<String> documents;
    private final String[] words;
    private final NormalText normal = new NormalText();

    /// What came of one rate of edits.
    ///
    /// @param similarity the mean share of n-grams that a document and its copy have in common (Jaccard)
    /// @param recall the share of copies that are in one cluster with their document
    /// @param theory the recall that these similarities let expect: the mean of [Scheme#probability]
    /// @param precision the share of planted pairs among all pairs that are in one cluster; NaN without any
    public record Found(
            double editRate, int documents, double similarity, double recall, double theory, double precision) {}

    private DuplicateBench(String text) {
        words = text.strip().split("\\s+");
        documents = StageBench.pages(text).stream()
                .map(Page::text)
                .filter(document -> !ngrams(document).isEmpty())
                .toList();
    }

    /// One row a rate of [#EDIT_RATES]. An edit replaces, drops or precedes a word, by or with one of the text's.
    ///
    /// @param text whose parts of 3000 characters are the documents
    /// @param folder for signatures
    /// @throws QuernException if the text has fewer than two such parts
    public static List<Found> measure(String text, Path folder) {
        DuplicateBench bench = new DuplicateBench(text);
        if (bench.documents.size() < 2) {
            throw QuernException.data("copies are planted among two parts of %,d characters or more: the text has %d"
                    .formatted(StageBench.DOCUMENT, bench.documents.size()));
        }
        return EDIT_RATES.stream()
                .map(rate -> bench.find(rate, folder.resolve(rate.toString())))
                .toList();
    }

    private Found find(double editRate, Path folder) {
        Random random = new Random(Double.hashCode(editRate));
        int count = documents.size();
        double similarity = 0;
        double theory = 0;
        SignatureWriter writer = new SignatureWriter(folder, "bench", SCHEME, MEMORY);
        for (int i = 0; i < count; i++) {
            String copy = edited(documents.get(i), editRate, random);
            double common = similarity(documents.get(i), copy);
            similarity += common;
            theory += SCHEME.probability(common);
            sign(2 * i, documents.get(i), writer);
            sign(2 * i + 1, copy, writer);
        }
        writer.finish();
        Clusters clusters = new DuplicateFinder(SCHEME, 1, MEMORY).find(folder, List.of());
        int found = 0;
        for (int i = 0; i < count; i++) {
            found += clusters.keeper(2 * i) == clusters.keeper(2 * i + 1) ? 1 : 0;
        }
        long pairs = Arrays.stream(clusters.keepers())
                .map(clusters::size)
                .map(size -> size * (size - 1) / 2)
                .sum();
        return new Found(
                editRate, count, similarity / count, (double) found / count, theory / count, (double) found / pairs);
    }

    private static void sign(long number, String document, SignatureWriter writer) {
        long[] signature = new long[SCHEME.size()];
        if (new Fingerprints(SCHEME).sign(document, signature)) {
            writer.add(number, signature);
        }
    }

    private String edited(String document, double rate, Random random) {
        return Arrays.stream(document.split(" "))
                .map(word -> random.nextDouble() >= rate ? word : edited(word, random))
                .filter(word -> !word.isEmpty())
                .collect(Collectors.joining(" "));
    }

    private String edited(String word, Random random) {
        String other = words[random.nextInt(words.length)];
        return switch (random.nextInt(3)) {
            case 0 -> other;
            case 1 -> "";
            default -> other + " " + word;
        };
    }

    private double similarity(String one, String other) {
        Set<Long> common = ngrams(one);
        Set<Long> all = ngrams(other);
        int both = common.size() + all.size();
        common.retainAll(all);
        return (double) common.size() / (both - common.size());
    }

    private Set<Long> ngrams(String document) {
        normal.read(document);
        Set<Long> ngrams = new HashSet<>();
        for (int i = 0; i + SCHEME.words() <= normal.count(); i++) {
            ngrams.add(normal.ngram(i, SCHEME.words()));
        }
        return ngrams;
    }
}
