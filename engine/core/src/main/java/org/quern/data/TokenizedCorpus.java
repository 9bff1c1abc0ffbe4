package org.quern.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.quern.tokenizer.Tokenizer;

/// The splits of a corpus. Documents begin with their end-of-text token.
///
/// @param validation empty only if llm.c's files are given without any
public record TokenizedCorpus(TokenShards train, Optional<TokenShards> validation) {
    static final String TRAIN = "train";
    static final String VALIDATION = "validation";

    /// Opens the folder that [PrepareData] made, which must come from this tokenizer.
    public static TokenizedCorpus open(Path folder, Tokenizer tokenizer) {
        String hash = tokenizer.hash();
        return new TokenizedCorpus(
                TokenShards.open(folder.resolve(TRAIN), hash),
                Optional.of(TokenShards.open(folder.resolve(VALIDATION), hash)));
    }

    /// How many tokens there are to train on in a folder that [PrepareData] made; empty if there is none.
    public static OptionalLong trainTokens(Path folder) {
        Path train = folder.resolve(TRAIN);
        return Files.exists(train.resolve(Manifest.FILE))
                ? OptionalLong.of(Manifest.read(train).tokens())
                : OptionalLong.empty();
    }

    /// Opens files of llm.c.
    ///
    /// @param train at least one
    /// @param validation maybe none
    /// @param vocabSize tokens must be below this
    /// @param endOfText the token at which a document begins
    public static TokenizedCorpus openLlmc(List<Path> train, List<Path> validation, int vocabSize, int endOfText) {
        return new TokenizedCorpus(
                TokenShards.openLlmc(train, vocabSize, endOfText),
                validation.isEmpty()
                        ? Optional.empty()
                        : Optional.of(TokenShards.openLlmc(validation, vocabSize, endOfText)));
    }
}
