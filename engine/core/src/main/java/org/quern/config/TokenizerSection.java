package org.quern.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.quern.tokenizer.SplitPattern;

/// Where the tokenizer comes from: a file, training, or nowhere, when the data are ids already.
///
/// @param file a `tokenizer.json`
/// @param train how to train one on `data.text`
/// @param vocabSize how many ids the data has; then no text can be read or written
/// @param endOfText the id between documents, beside `vocabSize`
public record TokenizerSection(
        Optional<Path> file,
        Optional<Training> train,
        @Range(min = 1) Optional<Integer> vocabSize,
        @Range(min = 0) Optional<Integer> endOfText)
        implements Checked {

    /// Training of a byte-level BPE.
    ///
    /// @param vocabSize tokens in all: 256 bytes, special tokens, and the merges
    /// @param pattern how text is cut into words first
    /// @param specialTokens of which the first ends a document
    public record Training(
            @Range(min = 1) int vocabSize,
            @Default("llama3") SplitPattern pattern,
            @Default("[<|endoftext|>]") List<String> specialTokens)
            implements Checked {
        private static final int BYTES = 256;

        @Override
        public List<String> problems() {
            List<String> problems = new ArrayList<>();
            int least = BYTES + specialTokens.size();
            if (vocabSize < least) {
                problems.add("vocab_size must be at least %d, for 256 bytes and %d special tokens: got %d"
                        .formatted(least, specialTokens.size(), vocabSize));
            }
            if (specialTokens.isEmpty()) {
                problems.add("special_tokens must hold at least one token: the first ends a document");
            }
            if (specialTokens.stream()
                            .filter(token -> token.length() > 1)
                            .distinct()
                            .count()
                    < specialTokens.size()) {
                problems.add("special_tokens must be different and longer than one character: got " + specialTokens);
            }
            return problems;
        }
    }

    /// The number of ids, where it is known before a file is read.
    OptionalInt knownVocabSize() {
        return train.map(training -> OptionalInt.of(training.vocabSize()))
                .or(() -> vocabSize.map(OptionalInt::of))
                .orElse(OptionalInt.empty());
    }

    @Override
    public List<String> problems() {
        if (Stream.of(file, train, vocabSize).filter(Optional::isPresent).count() != 1) {
            return List.of("must have one of file, train and vocab_size");
        }
        if (endOfText.isPresent() && vocabSize.isEmpty()) {
            return List.of("end_of_text goes with tokenizer.vocab_size: a tokenizer knows its own");
        }
        if (endOfText.isPresent() && endOfText.get() >= vocabSize.get()) {
            return List.of("end_of_text must be less than tokenizer.vocab_size %d: got %d"
                    .formatted(vocabSize.get(), endOfText.get()));
        }
        return List.of();
    }
}
