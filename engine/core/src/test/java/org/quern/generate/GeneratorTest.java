package org.quern.generate;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.ExitCode;
import org.quern.base.Philox;
import org.quern.base.QuernException;
import org.quern.generate.Generation.Completion;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.SplitPattern;
import org.quern.tokenizer.Tokenizer;

class GeneratorTest {
    private static final String END = "<|endoftext|>";
    private static final Sampler.Settings GREEDY = new Sampler.Settings(0, 0, 1, 0, 0);
    private static final Sampler.Settings WARM = new Sampler.Settings(1, 40, 0.95, 0, 17);

    private final Tokenizer tokenizer = tokenizer(END);

    @Test
    void textsDoNotDependOnTheBatch() {
        List<Completion> alone = new ArrayList<>();
        for (int sample = 0; sample < 5; sample++) {
            alone.add(plain("the cat", 24, sample));
        }
        for (int batch = 1; batch <= 6; batch++) {
            Generator generator = new Generator(new HashDecoder(batch, 64), tokenizer, Set.of());

            Generation found = generator.generate("the cat", new Generator.Settings(24, 5, WARM), (_, _) -> {});

            assertThat(found.completions()).isEqualTo(alone);
            assertThat(found.promptTokens()).isEqualTo(tokenizer.encode("the cat").length);
        }
        assertThat(alone).extracting(Completion::tokens).doesNotHaveDuplicates();
    }

    /// One text after the other, all of it read anew for each token.
    private Completion plain(String prompt, int maxTokens, int sample) {
        int[] history = tokenizer.encode(prompt);
        int promptLength = history.length;
        Sampler sampler = new Sampler(WARM, tokenizer.vocabSize());
        while (history.length < promptLength + maxTokens) {
            int next = sampler.sample(new HashDecoder(1, 64).prefill(history), sample, history.length);
            if (next == tokenizer.endOfText().orElseThrow()) {
                return completion(history, promptLength, FinishReason.STOP);
            }
            history = Arrays.copyOf(history, history.length + 1);
            history[history.length - 1] = next;
        }
        return completion(history, promptLength, FinishReason.LENGTH);
    }

    private Completion completion(int[] history, int promptLength, FinishReason reason) {
        int[] tokens = Arrays.copyOfRange(history, promptLength, history.length);
        return new Completion(Arrays.stream(tokens).boxed().toList(), tokenizer.decode(tokens), reason);
    }

    @Test
    void streamsWholeCharacters() {
        String text = "naïve 😀!";
        List<String> pieces = new ArrayList<>();

        Generation found = new Generator(new ScriptDecoder(64, tokenizer.encode(text)), tokenizer, Set.of())
                .generate("the", new Generator.Settings(50, 1, GREEDY), (_, piece) -> pieces.add(piece));

        assertThat(String.join("", pieces)).isEqualTo(text);
        assertThat(pieces).noneMatch(String::isEmpty).contains("😀");
        assertThat(found.completions()).containsExactly(new Completion(boxed(text), text, FinishReason.STOP));
    }

    @Test
    void replacesWhatIsNoCharacter() {
        int[] tokens = tokenizer.encode("a😀");
        ScriptDecoder decoder = new ScriptDecoder(64, Arrays.copyOf(tokens, tokens.length - 1));

        Completion found = new Generator(decoder, tokenizer, Set.of())
                .generate("the", new Generator.Settings(50, 1, GREEDY), (_, _) -> {})
                .completions()
                .getFirst();

        assertThat(found.text()).isEqualTo("a\uFFFD");
    }

    @Test
    void stopsAtTokensOfTheModel() {
        int[] script = tokenizer.encode("dog; cat");
        int semicolon = tokenizer.encode(";")[0];

        Generation found = new Generator(new ScriptDecoder(64, script), tokenizer, Set.of(semicolon))
                .generate("the", new Generator.Settings(50, 1, GREEDY), (_, _) -> {});

        assertThat(found.completions().getFirst().text()).isEqualTo("dog");
        assertThat(found.completions().getFirst().finishReason()).isEqualTo(FinishReason.STOP);
    }

    @Test
    void stopsAtTheLengthAndAtTheContext() {
        int[] script = tokenizer.encode("abcdefghijklmnop");
        int[] prompt = tokenizer.encode("xyz");
        for (int maxTokens = 1; maxTokens <= 8; maxTokens++) {
            Completion found = new Generator(new ScriptDecoder(8, script), tokenizer, Set.of())
                    .generate("xyz", new Generator.Settings(maxTokens, 1, GREEDY), (_, _) -> {})
                    .completions()
                    .getFirst();

            int room = 8 - prompt.length;
            assertThat(found.tokens()).hasSize(Math.min(maxTokens, room));
            assertThat(found.finishReason()).isEqualTo(maxTokens <= room ? FinishReason.LENGTH : FinishReason.CONTEXT);
        }
    }

    @Test
    void stopsWhenTheListenerWantsNoMore() {
        StringBuilder written = new StringBuilder();
        Generator.Listener listener = new Generator.Listener() {
            @Override
            public void text(int sample, String piece) {
                written.append(piece);
            }

            @Override
            public boolean isCancelled() {
                return written.length() >= 3;
            }
        };

        Completion found = new Generator(new ScriptDecoder(64, tokenizer.encode("wxyzw")), tokenizer, Set.of())
                .generate("the", new Generator.Settings(50, 1, GREEDY), listener)
                .completions()
                .getFirst();

        assertThat(found.text()).isEqualTo("wxy");
        assertThat(found.finishReason()).isEqualTo(FinishReason.CANCELLED);
    }

    @Test
    void beginsAtTheEndOfAnotherDocumentIfThePromptIsEmpty() {
        ScriptDecoder decoder = new ScriptDecoder(64, tokenizer.encode("abc"));

        new Generator(decoder, tokenizer, Set.of()).generate("", new Generator.Settings(1, 1, GREEDY), (_, _) -> {});

        assertThat(decoder.prompt).containsExactly(tokenizer.endOfText().orElseThrow());
    }

    @Test
    void refusesAnEmptyPromptWithoutTokenToBeginWith() {
        Tokenizer plain = tokenizer("<|other|>");
        Generator generator = new Generator(new ScriptDecoder(64), plain, Set.of());

        assertThatThrownBy(() -> generator.generate("", new Generator.Settings(1, 1, GREEDY), (_, _) -> {}))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                .hasMessageContaining("the prompt must not be empty: the tokenizer has no token");
    }

    @Test
    void refusesAPromptThatFillsTheContext() {
        Generator generator = new Generator(new ScriptDecoder(5, 300), tokenizer, Set.of());

        for (String prompt : List.of("vwxyz", "uvwxyz")) {
            assertThatThrownBy(() -> generator.generate(prompt, new Generator.Settings(1, 1, GREEDY), (_, _) -> {}))
                    .isInstanceOfSatisfying(
                            QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                    .hasMessage("the prompt must be shorter than the model's context of 5 tokens: got %d tokens"
                            .formatted(prompt.length()));
        }
    }

    @Test
    void refusesATokenizerWithMoreTokensThanTheModel() {
        Decoder small = new HashDecoder(1, 64) {
            @Override
            public int vocabSize() {
                return 257;
            }
        };

        assertThatThrownBy(() -> new Generator(small, tokenizer, Set.of()))
                .hasMessage("vocab_size must be at least the tokenizer's %d: got 257".formatted(tokenizer.vocabSize()));
    }

    @ParameterizedTest
    @CsvSource({"0, 1, max_tokens must be at least 1: got 0", "1, 0, num_samples must be at least 1: got 0"})
    void refusesSettingsOutOfRange(int maxTokens, int samples, String message) {
        assertThatThrownBy(() -> new Generator.Settings(maxTokens, samples, GREEDY))
                .isInstanceOf(QuernException.class)
                .hasMessage(message);
    }

    private List<Integer> boxed(String text) {
        return Arrays.stream(tokenizer.encode(text)).boxed().toList();
    }

    private static Tokenizer tokenizer(String special) {
        byte[] text = "the cat and the dog and the cats; naïve café, naïve café".getBytes(StandardCharsets.UTF_8);
        return new BpeTrainer(SplitPattern.GPT2, 270, List.of(special), 1)
                .train(List.of(text).iterator(), (_, _) -> {});
    }

    /// Logits that depend on every token so far.
    private class HashDecoder implements Decoder {
        private final int batch;
        private final int contextLength;
        private final MemorySegment logits;
        private final long[] hashes;
        private int length;

        HashDecoder(int batch, int contextLength) {
            this.batch = batch;
            this.contextLength = contextLength;
            hashes = new long[batch];
            logits = Arena.ofAuto().allocate(4L * batch * vocabSize(), 4);
        }

        @Override
        public int batch() {
            return batch;
        }

        @Override
        public int contextLength() {
            return contextLength;
        }

        @Override
        public int vocabSize() {
            return 270;
        }

        @Override
        public MemorySegment prefill(int[] tokens) {
            Arrays.fill(hashes, 0);
            length = 0;
            for (int token : tokens) {
                int[] all = new int[batch];
                Arrays.fill(all, token);
                decode(all);
            }
            return logits.asSlice(0, 4L * vocabSize());
        }

        @Override
        public MemorySegment decode(int[] tokens) {
            assertThat(tokens).hasSize(batch);
            assertThat(length++).isLessThan(contextLength);
            for (int i = 0; i < batch; i++) {
                hashes[i] = 31 * hashes[i] + tokens[i] + 1;
                for (int id = 0; id < vocabSize(); id++) {
                    logits.setAtIndex(
                            JAVA_FLOAT, (long) i * vocabSize() + id, (float) Philox.normal(hashes[i], 0, 0, id));
                }
            }
            return logits;
        }

        @Override
        public void close() {}
    }

    /// Says its script, then end-of-text.
    private final class ScriptDecoder implements Decoder {
        private final int contextLength;
        private final int[] script;
        private final MemorySegment logits = Arena.ofAuto().allocate(4L * 270, 4);
        private int said;
        private int length;
        private int[] prompt;

        ScriptDecoder(int contextLength, int... script) {
            this.contextLength = contextLength;
            this.script = script;
        }

        @Override
        public int batch() {
            return 1;
        }

        @Override
        public int contextLength() {
            return contextLength;
        }

        @Override
        public int vocabSize() {
            return 270;
        }

        @Override
        public MemorySegment prefill(int[] tokens) {
            prompt = tokens;
            length = tokens.length;
            return say();
        }

        @Override
        public MemorySegment decode(int[] tokens) {
            assertThat(tokens).containsExactly(script[said - 1]);
            assertThat(length++).isLessThan(contextLength);
            return say();
        }

        private MemorySegment say() {
            logits.fill((byte) 0);
            int token =
                    said < script.length ? script[said] : tokenizer.endOfText().orElseThrow();
            said++;
            logits.setAtIndex(JAVA_FLOAT, token, 1);
            return logits;
        }

        @Override
        public void close() {}
    }
}
