package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SeamsTest {
    private final Tokenizer tokenizer = BpeTrainerTest.train(
            SplitPattern.GPT2, 300, 1, "abab cdcd \u4E2D\u56FD \u4E2D\u56FD abcd abcd \u00E9\u00E9");

    private String pieces(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        Seams seams = tokenizer.encodingTables().seams();
        StringBuilder pieces = new StringBuilder();
        for (int start = 0; start < utf8.length; ) {
            int end = seams.next(utf8, start, utf8.length);
            pieces.append(pieces.isEmpty() ? "" : "|")
                    .append(new String(utf8, start, end - start, StandardCharsets.UTF_8));
            start = end;
        }
        return pieces.toString();
    }

    @Test
    void cutsWhereNoTokenLies() {
        assertThat(pieces("abcd")).isEqualTo("abcd");
        assertThat(pieces("dcba")).isEqualTo("d|c|b|a");
        assertThat(pieces("\u4E2D\u56FD\u00E9z\u4E2D\u56FD")).isEqualTo("\u4E2D\u56FD|\u00E9|z|\u4E2D\u56FD");
        assertThat(pieces("a")).isEqualTo("a");
    }

    @Test
    void noTokenCrossesASeam() {
        Random random = new Random(4);
        Seams seams = tokenizer.encodingTables().seams();
        WordMerger merger = new WordMerger(tokenizer.encodingTables().merges());
        String letters = "abcd\u4E2D\u56FD\u00E9z ";
        for (int n = 0; n < 5_000; n++) {
            StringBuilder built = new StringBuilder();
            for (int i = random.nextInt(100); i >= 0; i--) {
                built.append(letters.charAt(random.nextInt(letters.length())));
            }
            byte[] text = built.toString().getBytes(StandardCharsets.UTF_8);
            TokenBuffer whole = new TokenBuffer();
            merger.merge(text, 0, text.length, whole);
            TokenBuffer inPieces = new TokenBuffer();
            for (int start = 0; start < text.length; ) {
                int end = seams.next(text, start, text.length);
                merger.merge(text, start, end, inPieces);
                start = end;
            }
            assertThat(inPieces.toArray()).isEqualTo(whole.toArray());
        }
    }
}
