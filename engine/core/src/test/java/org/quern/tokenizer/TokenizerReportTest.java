package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class TokenizerReportTest {
    /// The bytes, then "aa", then " aa".
    private final Tokenizer tokenizer = BpeTrainerTest.train(SplitPattern.LLAMA3, 259, 1, "aa aa aa");

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void countsByGroup() {
        TokenizerReport report = new TokenizerReport(tokenizer);
        report.add("a", utf8("aa aa"));
        report.add("b", utf8("\u00E9"));
        report.add("a", utf8("aa"));

        TokenizerReport.Result result = report.result();

        assertThat(result.groups())
                .containsExactly(new TokenizerReport.Group("a", 7, 7, 3), new TokenizerReport.Group("b", 2, 1, 2));
        assertThat(result.groups().getFirst().bytesPerToken()).isEqualTo(7 / 3.0, within(1e-12));
        assertThat(result.words()).isEqualTo(258);
        assertThat(result.unused()).isEqualTo(258 - 4);
        assertThat(result.unreachable()).isZero();
        assertThat(result.longest().getFirst().text()).isEqualTo(" aa");
        assertThat(result.probes().get("1234567")).containsExactly("1", "2", "3", "4", "5", "6", "7");
        assertThat(result.probes()).containsEntry("a b", List.of("a", " ", "b"));
    }

    /// "b\nc" is a token, but its pattern never lets a word hold it.
    @Test
    void namesTokensThatNothingBecomes() {
        Vocabulary vocabulary = new Vocabulary("test");
        for (byte b : ByteAlphabet.inOrder()) {
            vocabulary.add(new byte[] {b}, vocabulary.size());
        }
        vocabulary.add(utf8("b\nc"), 256);
        Tokenizer odd = new Tokenizer(
                SplitPattern.LLAMA3,
                vocabulary,
                new Merges.Builder(vocabulary).build(false),
                false,
                List.of(),
                new int[0]);

        TokenizerReport.Result result = new TokenizerReport(odd).result();

        assertThat(result.unreachable()).isEqualTo(1);
        assertThat(result.unreachableExamples()).containsExactly(new TokenizerReport.Entry(256, 3, "b\nc"));
        assertThat(result.groups()).isEmpty();
    }
}
