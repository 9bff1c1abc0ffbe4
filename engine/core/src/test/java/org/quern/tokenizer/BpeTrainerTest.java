package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
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
}
