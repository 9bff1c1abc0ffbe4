package org.quern.corpus.fasttext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.QuernException;

/// Models trained by fastText itself, and what it predicts with them (src/test/python/golden_fasttext.py).
class FastTextModelTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden/fasttext");

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"hs.bin", "softmax.bin", "ova.bin", "ns.bin", "pruned.ftz", "words.bin"})
    void predictsAsFastTextDoes(String name) throws IOException {
        TextClassifier classifier = new TextClassifier(FastTextModel.read(GOLDEN.resolve(name)));
        int compared = 0;
        for (String line : Files.readAllLines(GOLDEN.resolve("predictions.tsv"))) {
            String[] fields = line.split("\t", -1);
            if (fields[0].equals(name)) {
                boolean known = classifier.classify(fields[3].translateEscapes());
                assertThat(known).as(line).isEqualTo(!fields[1].isEmpty());
                if (known) {
                    assertThat(classifier.score()).as(line).isCloseTo(Float.parseFloat(fields[2]), within(1e-5f));
                    assertThat(classifier.label()).as(line).isEqualTo(fields[1]);
                }
                compared++;
            }
        }
        assertThat(compared).isEqualTo(210);
    }

    @Test
    void keepsNothingFromOneTextToTheNext() {
        FastTextModel model = FastTextModel.read(GOLDEN.resolve("ova.bin"));
        TextClassifier used = new TextClassifier(model);
        used.classify("long words ".repeat(5000));
        used.classify("abc");
        TextClassifier fresh = new TextClassifier(model);
        fresh.classify("abc");

        assertThat(used.label()).isEqualTo(fresh.label());
        assertThat(used.score()).isEqualTo(fresh.score());
    }

    @Test
    void takesHalfASurrogatePairForAQuestionMark() {
        TextClassifier classifier = new TextClassifier(FastTextModel.read(GOLDEN.resolve("hs.bin")));
        classifier.classify("ab\ud83d cd\ude80");
        float score = classifier.score();
        classifier.classify("ab? cd?");

        assertThat(score).isEqualTo(classifier.score());
    }

    @ParameterizedTest
    @ValueSource(strings = {"hs.bin", "pruned.ftz"})
    void refusesTruncatedFilesByName(String name) throws IOException {
        byte[] whole = Files.readAllBytes(GOLDEN.resolve(name));
        Path broken = folder.resolve("broken.ftz");
        for (int length = 0; length < whole.length; length += length < 200 ? 1 : 97) {
            Files.write(broken, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> FastTextModel.read(broken))
                    .isInstanceOf(QuernException.class)
                    .hasMessageContaining("broken.ftz");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hs.bin", "pruned.ftz", "softmax.bin"})
    void readsOrRefusesMutatedFiles(String name) throws IOException {
        byte[] whole = Files.readAllBytes(GOLDEN.resolve(name));
        Path broken = folder.resolve("broken.bin");
        Random random = new Random(7);
        for (int round = 0; round < 400; round++) {
            byte[] mutated = whole.clone();
            // Half of the rounds hit the header and the dictionary, where the sizes are.
            int reach = round % 2 == 0 ? 200 : mutated.length;
            for (int i = 0; i <= round % 3; i++) {
                mutated[random.nextInt(reach)] = (byte) random.nextInt();
            }
            Files.write(broken, mutated);
            try {
                TextClassifier classifier = new TextClassifier(FastTextModel.read(broken));
                classifier.classify("abc жзи \ud83d\ude80 <> 日本");
            } catch (QuernException refused) {
                assertThat(refused).hasMessageContaining("broken.bin");
            }
        }
    }

    @Test
    void saysWhatAnotherFileIs() throws IOException {
        Path text = Files.writeString(folder.resolve("model.vec"), "1000 300\nthe 0.1 0.2\n");

        assertThatThrownBy(() -> FastTextModel.read(text))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("model.vec is not a fastText model: it starts with");
    }
}
