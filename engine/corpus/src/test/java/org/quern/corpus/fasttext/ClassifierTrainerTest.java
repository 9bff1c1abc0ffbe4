package org.quern.corpus.fasttext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import org.quern.corpus.fasttext.ClassifierTrainer.Example;

class ClassifierTrainerTest {
    private static final ClassifierTrainer.Settings SMALL = new ClassifierTrainer.Settings(7, 2, 1000, 2, 5, 0.5, 3);

    @TempDir
    private Path folder;

    /// Texts whose label shows in which order two words stand, which only 2-grams tell, and a third of
    /// noise words.
    private static List<Example> examples(long seed, int count) {
        Random random = new Random(seed);
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            boolean good = random.nextInt(3) == 0;
            StringBuilder text = new StringBuilder();
            for (int word = 0; word < 20; word++) {
                text.append(random.nextInt(3) == 0 ? "w" + random.nextInt(50) : good ? "über\tlang" : "lang über")
                        .append(' ');
            }
            examples.add(new Example(good ? "good" : "poor", text.toString()));
        }
        return examples;
    }

    @Test
    void learnsWhatTwoWordsInOrderTell() {
        FastTextModel model = ClassifierTrainer.train(examples(1, 600), SMALL, (_, _) -> {});
        BinaryEvaluation heldOut = BinaryEvaluation.of(model, "good", examples(2, 300));

        assertThat(model.labels()).containsExactly("poor", "good");
        assertThat(heldOut.auc()).isGreaterThan(0.99);
        assertThat(heldOut.at(0.5).precision()).isGreaterThan(0.95);
        assertThat(heldOut.at(0.5).recall()).isGreaterThan(0.95);
        assertThat(heldOut.positive().length + heldOut.negative().length).isEqualTo(300);
    }

    @Test
    void writesWhatItReads() throws IOException {
        FastTextModel model = ClassifierTrainer.train(examples(1, 100), SMALL, (_, _) -> {});
        model.write(folder.resolve("model.bin"));
        FastTextModel read = FastTextModel.read(folder.resolve("model.bin"));
        TextClassifier one = new TextClassifier(model);
        TextClassifier other = new TextClassifier(read);
        for (Example example : examples(5, 50)) {
            assertThat(one.classify(example.text())).isEqualTo(other.classify(example.text()));
            assertThat(one.label()).isEqualTo(other.label());
            assertThat(one.score()).isEqualTo(other.score());
        }
        ClassifierTrainer.train(examples(1, 100), SMALL, (_, _) -> {}).write(folder.resolve("again.bin"));
        assertThat(Files.readAllBytes(folder.resolve("again.bin")))
                .isEqualTo(Files.readAllBytes(folder.resolve("model.bin")));
    }

    @Test
    void scoresEveryLabelAsTheBestIsScored() {
        for (String name : List.of("hs.bin", "softmax.bin", "ova.bin", "pruned.ftz")) {
            FastTextModel model = FastTextModel.read(Path.of("src/test/resources/golden/fasttext", name));
            TextClassifier classifier = new TextClassifier(model);
            classifier.classify("abc def жзи");
            float best = classifier.score();
            int number = model.labelNumber(classifier.label());

            assertThat(classifier.score("abc def жзи", number)).isCloseTo(best, within(1e-6f));
            for (int label = 0; label < model.labels().count(); label++) {
                assertThat(classifier.score("abc def жзи", label)).isLessThanOrEqualTo(best + 1e-6f);
            }
        }
    }

    @Test
    void countsTiesByHalf() {
        FastTextModel model = ClassifierTrainer.train(examples(1, 50), SMALL, (_, _) -> {});
        List<Example> same = List.of(new Example("good", "x"), new Example("poor", "x"), new Example("poor", "x"));

        assertThat(BinaryEvaluation.of(model, "good", same).auc()).isEqualTo(0.5);
    }

    @Test
    void suggestsThresholds() {
        BinaryEvaluation scores =
                new BinaryEvaluation(new double[] {0.2, 0.6, 0.8, 0.9}, new double[] {0.1, 0.1, 0.3, 0.7});

        assertThat(scores.auc()).isEqualTo((2 + 3 + 4 + 4) / 16.0);
        assertThat(scores.at(0.6)).isEqualTo(new BinaryEvaluation.Cut(0.6, 0.75, 0.75, 0.25));
        assertThat(scores.at(0.95)).isEqualTo(new BinaryEvaluation.Cut(0.95, 1, 0, 0));
        assertThat(scores.withPrecision(0.9).orElseThrow().threshold()).isEqualTo(0.8);
        assertThat(scores.withRecall(1)).isEqualTo(new BinaryEvaluation.Cut(0.2, 4 / 6.0, 1, 0.5));
        assertThat(scores.bestF1().threshold()).isEqualTo(0.2);
        assertThat(new BinaryEvaluation(new double[] {0.1}, new double[] {0.5}).withPrecision(0.9))
                .isEmpty();
    }

    @Test
    void refusesExamplesOfOneLabelAndUnknownLabels() {
        assertThatThrownBy(() -> ClassifierTrainer.train(List.of(new Example("good", "text")), SMALL, (_, _) -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("two labels");
        assertThatThrownBy(
                        () -> ClassifierTrainer.train(List.of(new Example("very good", "text")), SMALL, (_, _) -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("without spaces");
        FastTextModel model = ClassifierTrainer.train(examples(1, 50), SMALL, (_, _) -> {});
        assertThatThrownBy(() -> model.labelNumber("excellent"))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("[poor, good]");
    }
}
