package org.quern.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;

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
            @Range(min = 257) int vocabSize,
            @Default("gpt4") Pattern pattern,
            @Default("[<|endoftext|>]") List<String> specialTokens)
            implements Checked {
        @Override
        public List<String> problems() {
            return specialTokens.isEmpty()
                    ? List.of("special_tokens must hold at least one token: the first ends a document")
                    : List.of();
        }
    }

    /// The published patterns.
    public enum Pattern {
        GPT2,
        GPT4,
        LLAMA3
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
