package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class TokenizedTextTest {
    /// A token a byte, but for one merge.
    private final Tokenizer tokenizer = BpeTrainerTest.train(SplitPattern.GPT2, 258, 1, "aa aa aa");

    @Test
    void keepsCharactersWhole() {
        String text = "aa \u00E9\u4E2D\uD83D\uDE00<|endoftext|>";

        TokenizedText tokens = TokenizedText.of(tokenizer, text, true);

        assertThat(tokens.pieces())
                .extracting(TokenizedText.Piece::text)
                .containsExactly("aa", " ", "\u00E9", "\u4E2D", "\uD83D\uDE00", "<|endoftext|>");
        assertThat(tokens.pieces()).extracting(p -> p.tokens().size()).containsExactly(1, 1, 2, 3, 4, 1);
        assertThat(tokens.pieces())
                .extracting(TokenizedText.Piece::special)
                .containsExactly(false, false, false, false, false, true);
        assertThat(tokens.pieces().get(2).tokens())
                .extracting(TokenizedText.Token::bytes)
                .containsExactly("c3", "a9");
        assertThat(tokens.tokens()).isEqualTo(12);
        assertThat(tokens.bytes()).isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
    }

    @Test
    void readsSpecialTokensAsTextUnlessTold() {
        TokenizedText tokens = TokenizedText.of(tokenizer, "<|endoftext|>", false);

        assertThat(tokens.tokens()).isGreaterThan(1);
        assertThat(tokens.pieces()).noneMatch(TokenizedText.Piece::special);
        assertThat(tokens.pieces().stream().map(TokenizedText.Piece::text).collect(Collectors.joining()))
                .isEqualTo("<|endoftext|>");
        assertThat(TokenizedText.of(tokenizer, "", true).pieces()).isEmpty();
    }
}
