package org.quern.corpus.fasttext;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.base.QuernException;

/// A supervised fastText model, immutable and shared by threads; each thread applies it by a
/// [TextClassifier] of its own.
///
/// File (little-endian): magic, version 11 or 12, thirteen arguments, the dictionary with the n-grams that
/// a quantised model keeps, the input matrix (a row a word, then a row an n-gram bucket), the output matrix
/// (a row a label). Source: the readers and writers in fastText 0.9.2.
public final class FastTextModel {
    private static final int MAGIC = 793712314;
    private static final int OLDEST_VERSION = 11;
    private static final int VERSION = 12;
    private static final int SUPERVISED = 3;

    private final Settings settings;
    private final Dictionary dictionary;
    private final Matrix input;
    private final OutputLayer output;

    private FastTextModel(Settings settings, Dictionary dictionary, Matrix input, OutputLayer output) {
        this.settings = settings;
        this.dictionary = dictionary;
        this.input = input;
        this.output = output;
    }

    /// Reads a `.bin` or `.ftz` file.
    ///
    /// @throws QuernException when it is missing, no such file, damaged, or of a kind that scores no labels
    public static FastTextModel read(Path path) {
        if (!Files.isRegularFile(path)) {
            throw QuernException.data("no fastText model at " + path);
        }
        try (ModelFile file = new ModelFile(path)) {
            int magic = file.readInt();
            if (magic != MAGIC) {
                throw QuernException.data(path + " is not a fastText model: it starts with " + magic + " instead of "
                        + MAGIC + " (the old text-only .vec files and other tools' models are not read)");
            }
            int version = file.readInt();
            if (version < OLDEST_VERSION || version > VERSION) {
                throw QuernException.data(
                        path + " has version " + version + " of fastText's format; 11 and 12 are read");
            }
            Settings settings = Settings.read(file, version);
            Dictionary dictionary = Dictionary.read(file, settings.buckets());
            boolean quantised = file.readFlag();
            file.require(
                    quantised || dictionary.ngrams() instanceof NgramRows.All,
                    "n-grams were dropped, but not quantised");
            Matrix input = quantised ? Matrix.readQuantised(file) : Matrix.readDense(file);
            boolean outputQuantised = file.readFlag();
            Matrix output = quantised && outputQuantised ? Matrix.readQuantised(file) : Matrix.readDense(file);
            file.require(file.remaining() == 0, file.remaining() + " bytes follow the last matrix");
            file.require(
                    input.columns() == settings.dimension()
                            && input.rows()
                                    == (long) dictionary.words()
                                            + dictionary.ngrams().rows(),
                    "an input matrix of " + input.rows() + " x " + input.columns());
            file.require(
                    output.columns() == settings.dimension() && output.rows() == dictionary.labels(),
                    "an output matrix of " + output.rows() + " x " + output.columns());
            return new FastTextModel(settings, dictionary, input, settings.layer(file, output, dictionary));
        }
    }

    /// A model of our own: softmax over labels, words and word n-grams but no character n-grams.
    static FastTextModel trained(Settings settings, Dictionary dictionary, Matrix input, Matrix output) {
        return new FastTextModel(settings, dictionary, input, new Softmax(output));
    }

    /// Writes a model that [ClassifierTrainer] made as a dense `.bin`, which fastText reads too.
    public void write(Path path) {
        Softmax softmax = (Softmax) output;
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(path)))) {
            writeInts(out, MAGIC, VERSION);
            settings.write(out);
            int size = dictionary.words() + dictionary.labels();
            writeInts(out, size, dictionary.words(), dictionary.labels());
            long tokens = IntStream.range(0, dictionary.words())
                    .mapToLong(dictionary::count)
                    .sum();
            out.writeLong(Long.reverseBytes(tokens));
            out.writeLong(Long.reverseBytes(-1));
            for (int id = 0; id < size; id++) {
                out.write(dictionary.entry(id));
                out.writeByte(0);
                out.writeLong(Long.reverseBytes(dictionary.count(id)));
                out.writeByte(id < dictionary.words() ? 0 : 1);
            }
            out.writeByte(0);
            writeMatrix(out, input);
            out.writeByte(0);
            writeMatrix(out, softmax.weights());
        } catch (IOException e) {
            throw QuernException.io(path + " cannot be written", e);
        }
    }

    private static void writeMatrix(DataOutputStream out, Matrix matrix) throws IOException {
        out.writeLong(Long.reverseBytes(matrix.rows()));
        out.writeLong(Long.reverseBytes(matrix.columns()));
        for (float value : matrix.values()) {
            out.writeInt(Integer.reverseBytes(Float.floatToRawIntBits(value)));
        }
    }

    private static void writeInts(DataOutputStream out, int... values) throws IOException {
        for (int value : values) {
            out.writeInt(Integer.reverseBytes(value));
        }
    }

    /// The labels without `__label__`, most frequent in training first.
    public Stream<String> labels() {
        return IntStream.range(0, dictionary.labels()).mapToObj(dictionary::label);
    }

    /// A label's number among [#labels()].
    ///
    /// @throws QuernException when the model has no such label
    public int labelNumber(String label) {
        int number = labels().toList().indexOf(label);
        if (number < 0) {
            throw QuernException.data("the model has no label '" + label + "', but "
                    + labels().limit(20).toList());
        }
        return number;
    }

    Settings settings() {
        return settings;
    }

    Dictionary dictionary() {
        return dictionary;
    }

    Matrix input() {
        return input;
    }

    OutputLayer output() {
        return output;
    }

    /// What of a model's arguments still matters after training.
    ///
    /// @param dimension columns of the matrices
    /// @param wordNgrams the longest word n-grams
    /// @param loss 1 hierarchical softmax, 2 negative sampling, 3 softmax, 4 one against all
    /// @param buckets the rows that n-grams are hashed to, 0 for none
    /// @param shortest the shortest character n-grams, in code points
    /// @param longest the longest character n-grams, 0 for none
    record Settings(int dimension, int wordNgrams, int loss, int buckets, int shortest, int longest) {
        private static final int MOST_COLUMNS = 4096;
        private static final int LONGEST_NGRAM = 64;
        private static final int EARLIEST_WITH_CHARACTERS = 12;

        static Settings read(ModelFile file, int version) {
            int dimension = file.readInt();
            file.readInt();
            file.readInt();
            file.readInt();
            file.readInt();
            int wordNgrams = file.readInt();
            int loss = file.readInt();
            int kind = file.readInt();
            int buckets = file.readInt();
            int shortest = file.readInt();
            int stated = file.readInt();
            int longest = version < EARLIEST_WITH_CHARACTERS ? 0 : stated;
            file.readInt();
            file.readDouble();
            file.require(
                    kind == SUPERVISED,
                    "it is of kind " + kind + ", and only supervised ones (" + SUPERVISED + ") score labels");
            file.require(
                    dimension > 0 && dimension <= MOST_COLUMNS && loss >= 1 && loss <= 4 && buckets >= 0,
                    "dimension " + dimension + ", loss " + loss + ", " + buckets + " buckets");
            file.require(
                    wordNgrams >= 0
                            && wordNgrams <= LONGEST_NGRAM
                            && shortest >= 0
                            && longest >= 0
                            && longest <= LONGEST_NGRAM,
                    "n-grams of " + wordNgrams + " words and " + shortest + " to " + longest + " characters");
            file.require(buckets > 0 || wordNgrams <= 1 && longest == 0, "n-grams without buckets");
            return new Settings(dimension, wordNgrams, loss, buckets, shortest, longest);
        }

        void write(DataOutputStream out) throws IOException {
            writeInts(out, dimension, 5, 1, 1, 5, wordNgrams, loss, SUPERVISED, buckets, shortest, longest, 100);
            out.writeLong(Long.reverseBytes(Double.doubleToRawLongBits(1e-4)));
        }

        OutputLayer layer(ModelFile file, Matrix output, Dictionary dictionary) {
            return switch (loss) {
                case 1 -> {
                    for (int label = 0; label < dictionary.labels(); label++) {
                        long count = dictionary.labelCount(label);
                        long before = label == 0
                                ? HierarchicalSoftmax.UNBUILT / dictionary.labels()
                                : dictionary.labelCount(label - 1);
                        file.require(
                                count > 0 && count <= before,
                                "label " + label + " was seen " + count + " times, the one before it " + before);
                    }
                    yield new HierarchicalSoftmax(output, dictionary);
                }
                case 3 -> new Softmax(output);
                default -> new Sigmoids(output);
            };
        }
    }
}
