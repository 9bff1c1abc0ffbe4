package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TextStreamTest {
    /// Bytes only: each byte a token.
    private final Tokenizer tokenizer = BpeTrainerTest.train(SplitPattern.GPT2, 257, 1);

    private int idOf(int b) {
        return tokenizer.byteIds()[b & 0xFF];
    }

    @Test
    void holdsBackIncompleteCharacters() {
        TextStream stream = tokenizer.textStream();

        assertThat(stream.next(idOf('a'))).isEqualTo("a");
        assertThat(stream.next(idOf(0xF0))).isEmpty();
        assertThat(stream.next(idOf(0x9F))).isEmpty();
        assertThat(stream.next(idOf(0x98))).isEmpty();
        assertThat(stream.next(idOf(0x80))).isEqualTo("\uD83D\uDE00");
        assertThat(stream.end()).isEmpty();
    }

    @Test
    void replacesWhatCannotBecomeText() {
        TextStream stream = tokenizer.textStream();

        assertThat(stream.next(idOf(0xE2))).isEmpty();
        assertThat(stream.next(idOf('x'))).isEqualTo("\uFFFDx");
        assertThat(stream.next(idOf(0xFF))).isEqualTo("\uFFFD");
        assertThat(stream.next(idOf(0xC3))).isEmpty();
        assertThat(stream.end()).isEqualTo("\uFFFD");
        assertThat(stream.next(idOf('y'))).isEqualTo("y");
    }

    @Test
    void givesTheWholeTextInTheEnd() {
        byte[] bytes = "d\u00E9j\u00E0 \u4E2D\uD83D\uDE00\u0000".getBytes(StandardCharsets.UTF_8);
        bytes[3] = (byte) 0x80;
        StringBuilder text = new StringBuilder();
        TextStream stream = tokenizer.textStream();
        for (byte b : bytes) {
            text.append(stream.next(idOf(b)));
        }
        text.append(stream.end());

        assertThat(text.toString()).isEqualTo(new String(bytes, StandardCharsets.UTF_8));
    }
}
