package org.quern.corpus.quality;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;
import org.quern.corpus.fasttext.ClassifierTrainer.Settings;
import org.quern.corpus.fasttext.FastTextModel;
import org.quern.corpus.filter.LearnedQuality;

class QualityTrainerTest {
    private static final Settings SMALL = new Settings(7, 1, 1000, 1, 10, 0.5, 3);

    @TempDir
    private Path folder;

    private static List<String> texts(String word, int count, long seed) {
        Random random = new Random(seed);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = 0; n < 20; n++) {
                text.append(random.nextInt(3) == 0 ? word : "w" + random.nextInt(99))
                        .append(' ');
            }
            texts.add(text.toString());
        }
        return texts;
    }

    @Test
    void trainsAModelThatABuildKeepsPagesBy() throws IOException {
        List<long[]> progress = new ArrayList<>();
        List<String> good = texts("good", 200, 1);
        good.add(good.getFirst());
        QualityTrainer trained = QualityTrainer.train(
                good, texts("poor", 300, 2), 0.2, SMALL, (done, total) -> progress.add(new long[] {done, total}));
        int heldOut =
                trained.evaluation().positive().length + trained.evaluation().negative().length;
        assertThat(trained.repeated()).isEqualTo(1);
        assertThat(trained.trained() + heldOut).isEqualTo(500);
        assertThat(heldOut).isBetween(60, 140);
        assertThat(trained.evaluation().auc()).isGreaterThan(0.99);
        assertThat(progress.getLast()).containsExactly(10L * trained.trained(), 10L * trained.trained());

        Path file = folder.resolve("quality.bin");
        trained.model().write(file);
        double threshold = trained.evaluation().bestF1().threshold();
        LearnedQuality stage = new LearnedQuality(FastTextModel.read(file), QualityTrainer.POSITIVE, threshold);
        Page.Origin origin = new Page.Origin("test", 0, 0, "", "");
        assertThat(stage.apply(Page.ofText(origin, "", "", "good good w1 good")))
                .isInstanceOf(Verdict.Kept.class);
        assertThat(stage.apply(Page.ofText(origin, "", "", "poor poor w1 poor")))
                .isInstanceOf(Verdict.Dropped.class);
    }

    @Test
    void refusesTextsThatNothingCanBeLearntFrom() {
        List<String> good = texts("good", 20, 1);
        assertThatThrownBy(() -> QualityTrainer.train(good, good.subList(0, 3), 0.2, SMALL, (_, _) -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("3 texts are both positive and negative");
        assertThatThrownBy(() -> QualityTrainer.train(good, List.of(), 0.2, SMALL, (_, _) -> {}))
                .hasMessageContaining("there is no negative text to train on: 20 different positive and 0 negative");
        assertThatThrownBy(() -> QualityTrainer.train(good, List.of("one"), 0.2, SMALL, (_, _) -> {}))
                .hasMessageContaining("there is no negative text to");
    }

    @Test
    void readsTextsOfAllKindsOfFiles() throws IOException {
        Path lines = Files.writeString(folder.resolve("a.jsonl"), "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
        Path text = Files.writeString(folder.resolve("b.txt"), "three\fand four\f \n");
        assertThat(LabelledTexts.read(List.of(lines, text))).containsExactly("one", "two", "three", "and four");
        assertThat(LabelledTexts.read(List.of(folder))).hasSize(4);
        Path empty = Files.writeString(folder.resolve("empty.jsonl"), "");
        assertThatThrownBy(() -> LabelledTexts.read(List.of(lines, empty)))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("empty.jsonl: expected texts to learn from, found none");
        assertThatThrownBy(() -> LabelledTexts.read(List.of(folder.resolve("none.txt"))))
                .hasMessageContaining("no such file");
    }
}
