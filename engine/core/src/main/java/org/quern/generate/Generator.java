package org.quern.generate;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.tokenizer.TextStream;
import org.quern.tokenizer.Tokenizer;

/// Continues a prompt, once or several times. A text is a pure function of (weights, prompt, settings, its
/// number): it is the same however many are generated, and however many at once.
public final class Generator {
    private final Decoder decoder;
    private final Tokenizer tokenizer;
    private final Set<Integer> endTokens;

    /// What to generate.
    ///
    /// @param maxTokens the most tokens of a text
    /// @param samples how many texts
    public record Settings(int maxTokens, int samples, Sampler.Settings sampling) {
        /// @throws QuernException if a value is out of its range
        public Settings {
            if (maxTokens < 1) {
                throw usage("max_tokens must be at least 1: got %d".formatted(maxTokens));
            }
            if (samples < 1) {
                throw usage("num_samples must be at least 1: got %d".formatted(samples));
            }
        }
    }

    /// Receives texts while they grow.
    @FunctionalInterface
    public interface Listener {
        /// A piece of a text: whole characters, at least one.
        ///
        /// @param sample which text, from 0
        void text(int sample, String piece);

        /// Whether to end now.
        default boolean isCancelled() {
            return false;
        }
    }

    /// @param endTokens ends of a text besides the tokenizer's own
    /// @throws QuernException if the tokenizer has ids that the model does not know
    public Generator(Decoder decoder, Tokenizer tokenizer, Set<Integer> endTokens) {
        if (tokenizer.vocabSize() > decoder.vocabSize()) {
            throw QuernException.data("vocab_size must be at least the tokenizer's %d: got %d"
                    .formatted(tokenizer.vocabSize(), decoder.vocabSize()));
        }
        this.decoder = decoder;
        this.tokenizer = tokenizer;
        this.endTokens = new TreeSet<>(endTokens);
        tokenizer.endOfText().ifPresent(this.endTokens::add);
    }

    /// Generates.
    ///
    /// @param prompt if empty, the texts begin as documents do
    /// @throws QuernException if the prompt leaves no room in the model's context, or is empty and the tokenizer
    ///     has no token that begins or ends documents
    public Generation generate(String prompt, Settings settings, Listener listener) {
        int[] tokens = tokens(prompt);
        Sampler sampler = new Sampler(settings.sampling, decoder.vocabSize());
        List<Text> texts = new ArrayList<>();
        long prefillNanos = 0;
        long began = System.nanoTime();
        while (texts.size() < settings.samples) {
            List<Text> batch = new ArrayList<>();
            int count = Math.min(decoder.batch(), settings.samples - texts.size());
            for (int i = 0; i < count; i++) {
                batch.add(new Text(texts.size() + i, tokens.length, settings.maxTokens, listener));
            }
            long before = System.nanoTime();
            MemorySegment logits = decoder.prefill(tokens);
            prefillNanos += System.nanoTime() - before;
            grow(batch, logits, tokens.length, sampler);
            texts.addAll(batch);
        }
        long decodeNanos = System.nanoTime() - began - prefillNanos;
        return new Generation(
                texts.stream().map(Text::completion).toList(), tokens.length, prefillNanos / 1e9, decodeNanos / 1e9);
    }

    /// Adds tokens to all texts until each has ended.
    ///
    /// @param logits fp32 [vocabSize] of the token after the prompt
    private void grow(List<Text> batch, MemorySegment logits, int promptLength, Sampler sampler) {
        long rowBytes = (long) Float.BYTES * decoder.vocabSize();
        // What follows a text that has ended, or is in a place without a text, does not matter.
        int[] next = new int[decoder.batch()];
        boolean first = true;
        for (int position = promptLength; ; position++) {
            for (int i = 0; i < batch.size(); i++) {
                Text text = batch.get(i);
                if (text.finishReason == null) {
                    MemorySegment row = logits.asSlice(first ? 0 : rowBytes * i, rowBytes);
                    next[i] = sampler.sample(row, text.number, position);
                    text.append(next[i]);
                }
            }
            if (batch.stream().allMatch(text -> text.finishReason != null)) {
                return;
            }
            logits = decoder.decode(next);
            first = false;
        }
    }

    private int[] tokens(String prompt) {
        int[] tokens = tokenizer.encodePrompt(prompt);
        if (tokens.length == 0) {
            OptionalInt begin = tokenizer.beginOfText();
            tokens = new int[] {
                begin.orElseGet(() -> tokenizer
                        .endOfText()
                        .orElseThrow(() -> usage("the prompt must not be empty: the tokenizer has no token with which"
                                + " documents begin or end")))
            };
        }
        if (tokens.length >= decoder.contextLength()) {
            throw usage("the prompt must be shorter than the model's context of %d tokens: got %d tokens"
                    .formatted(decoder.contextLength(), tokens.length));
        }
        return tokens;
    }

    private static QuernException usage(String message) {
        return new QuernException(ExitCode.USAGE, message);
    }

    /// A text that grows.
    private final class Text {
        private final int number;
        private final int promptLength;
        private final int maxTokens;
        private final Listener listener;
        private final TextStream stream = tokenizer.textStream();
        private final List<Integer> tokens = new ArrayList<>();
        private final StringBuilder written = new StringBuilder();
        private FinishReason finishReason;

        Text(int number, int promptLength, int maxTokens, Listener listener) {
            this.number = number;
            this.promptLength = promptLength;
            this.maxTokens = maxTokens;
            this.listener = listener;
        }

        void append(int token) {
            if (endTokens.contains(token)) {
                finish(FinishReason.STOP);
                return;
            }
            tokens.add(token);
            write(stream.next(token));
            if (tokens.size() == maxTokens) {
                finish(FinishReason.LENGTH);
            } else if (promptLength + tokens.size() == decoder.contextLength()) {
                finish(FinishReason.CONTEXT);
            } else if (listener.isCancelled()) {
                finish(FinishReason.CANCELLED);
            }
        }

        private void finish(FinishReason reason) {
            finishReason = reason;
            write(stream.end());
        }

        private void write(String piece) {
            if (!piece.isEmpty()) {
                written.append(piece);
                listener.text(number, piece);
            }
        }

        Generation.Completion completion() {
            return new Generation.Completion(List.copyOf(tokens), written.toString(), finishReason);
        }
    }
}
