package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;

class BpeTrainerTest {
    private static final String END = "<|endoftext|>";

    static Tokenizer train(SplitPattern pattern, int vocabSize, int threads, String... documents) {
        List<byte[]> utf8 = new ArrayList<>();
        for (String document : documents) {
            utf8.add(document.getBytes(StandardCharsets.UTF_8));
        }
        return new BpeTrainer(pattern, vocabSize, List.of(END), threads).train(utf8.iterator(), (done, total) -> {});
    }

    @Test
    void putsSpecialTokensThenBytesThenMerges() {
        Tokenizer tokenizer = train(SplitPattern.GPT2, 262, 1, "hello hello hello 'sé");

        assertThat(tokenizer.endOfText()).hasValue(0);
        assertThat(tokenizer.decode(1, 2, 94)).isEqualTo("!\"~");
        // As tokenizers 0.23.2 does.
        assertThat(IntStream.range(257, 262).mapToObj(tokenizer::decode))
                .containsExactly("el", "hel", "lo", "hello", " hello");
        assertThat(tokenizer.vocabSize()).isEqualTo(262);
    }

    @Test
    void stopsWhenNoPairIsLeft() {
        assertThat(train(SplitPattern.LLAMA3, 1000, 1, "ab ab").vocabSize()).isEqualTo(259);
        assertThat(train(SplitPattern.LLAMA3, 1000, 1).vocabSize()).isEqualTo(257);
    }

    @Test
    void doesNotDependOnThreads() {
        String[] documents = IntStream.range(0, 200)
                .mapToObj(i -> "Document " + i * 7919 + ": the thing that thinks thickens. ".repeat(i % 5))
                .toArray(String[]::new);

        String hash = train(SplitPattern.LLAMA3, 400, 1, documents).hash();

        assertThat(train(SplitPattern.LLAMA3, 400, 3, documents).hash()).isEqualTo(hash);
    }

    @Test
    void rejectsTooSmallVocabulary() {
        assertThatThrownBy(() -> train(SplitPattern.GPT2, 200, 1))
                .isInstanceOf(QuernException.class)
                .hasMessage("the vocabulary size must be at least 257, for 256 bytes and 1 special tokens: got 200");
    }

    @Test
    void passesOnFailureOfDocuments() {
        Iterable<byte[]> failing = () -> {
            throw QuernException.data("broken");
        };
        assertThatThrownBy(() -> new BpeTrainer(SplitPattern.GPT2, 300, List.of(), 2)
                        .train(
                                List.of(failing).stream()
                                        .map(f -> f.iterator().next())
                                        .iterator(),
                                (d, t) -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessage("broken");
    }

    private static List<byte[]> manyWords() {
        Random random = new Random(4);
        List<byte[]> documents = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            documents.add(random.ints(400, 0, 50_000)
                    .mapToObj(n -> Integer.toString(n * n % 50_000, 26))
                    .collect(Collectors.joining(" "))
                    .getBytes(StandardCharsets.UTF_8));
        }
        return documents;
    }

    @Test
    void isTheSameWhenCountsGoToFiles() {
        BpeTrainer trainer = new BpeTrainer(SplitPattern.LLAMA3, 900, List.of(), 3);
        String hash = trainer.train(manyWords().iterator(), (_, _) -> {}).hash();

        // Three threads of 16 KiB write many files; all words together stay well below the half.
        assertThat(trainer.train(manyWords().iterator(), (_, _) -> {}, 40 << 20, 1 << 14)
                        .hash())
                .isEqualTo(hash);
    }

    @Test
    void isTheSameFromCountsOfParts(@TempDir Path folder) {
        BpeTrainer trainer = new BpeTrainer(SplitPattern.LLAMA3, 900, List.of(), 1);
        List<byte[]> documents = manyWords();
        List<Path> files = List.of(folder.resolve("a.counts"), folder.resolve("b.counts"));
        BpeTrainer.count(documents.subList(0, 70).iterator(), SplitPattern.LLAMA3, 2, files.getFirst(), (_, _) -> {});
        BpeTrainer.count(documents.subList(70, 300).iterator(), SplitPattern.LLAMA3, 1, files.getLast(), (_, _) -> {});

        assertThat(trainer.trainOnCounts(files, (_, _) -> {}).hash())
                .isEqualTo(trainer.train(documents.iterator(), (_, _) -> {}).hash());
        assertThatThrownBy(
                        () -> new BpeTrainer(SplitPattern.GPT2, 900, List.of(), 1).trainOnCounts(files, (_, _) -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("expected \"quern word counts 1 GPT2\", found \"quern word counts 1 LLAMA3\"");
    }

    @Test
    void namesACountFileThatIsCutOff(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("a.counts");
        BpeTrainer.count(manyWords().iterator(), SplitPattern.LLAMA3, 2, file, (_, _) -> {});
        byte[] bytes = Files.readAllBytes(file);
        BpeTrainer trainer = new BpeTrainer(SplitPattern.LLAMA3, 900, List.of(), 1);
        for (int length : new int[] {0, 10, 30, bytes.length - 1, bytes.length - 4}) {
            Files.write(file, Arrays.copyOf(bytes, length));
            assertThatThrownBy(() -> trainer.trainOnCounts(List.of(file), (_, _) -> {}))
                    .isInstanceOf(QuernException.class)
                    .hasMessageContaining("cut off");
        }
    }

    private static String letters(int number) {
        return Character.toString('a' + number / 26) + Character.toString('a' + number % 26);
    }

    @Test
    void leavesOutTheRarestWordsWhenMemoryIsShort() {
        BpeTrainer trainer = new BpeTrainer(SplitPattern.LLAMA3, 261, List.of(), 2);
        List<byte[]> documents = new ArrayList<>(List.of("often often often often".getBytes(StandardCharsets.UTF_8)));
        for (int i = 0; i < 500; i++) {
            documents.add(("qz" + letters(i)).getBytes(StandardCharsets.UTF_8));
        }

        // " often" and "often" cost 48 + 16 for a byte each.
        Tokenizer tokenizer = trainer.train(documents.iterator(), (_, _) -> {}, 600, 1 << 20);

        assertThat(tokenizer.decode(260)).isEqualTo(" often");
        assertThat(trainer.train(documents.iterator(), (_, _) -> {}).decode(256))
                .isEqualTo("qz");
    }

    @Test
    void sortsWordsByTheirBytes() {
        Random random = new Random(6);
        WordTable table = new WordTable();
        List<byte[]> expected = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            byte[] word = new byte[1 + random.nextInt(20)];
            for (int k = 0; k < word.length; k++) {
                word[k] = (byte) (random.nextInt(3) * 100);
            }
            if (table.find(word, 0, word.length) < 0) {
                table.add(word, 0, word.length);
                expected.add(word);
            }
        }
        expected.sort(Arrays::compareUnsigned);

        List<byte[]> sorted = Arrays.stream(new WordOrder(table).sorted())
                .mapToObj(w -> Arrays.copyOfRange(table.bytes(), table.start(w), table.end(w)))
                .toList();

        assertThat(sorted).usingElementComparator(Arrays::compareUnsigned).isEqualTo(expected);
    }
}
