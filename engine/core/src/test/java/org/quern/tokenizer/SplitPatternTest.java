package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SplitPatternTest {
    private static final String[] PIECES = {
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u0085",
        "\u00A0",
        "\u3000",
        "\u2028",
        "\u200B",
        "a",
        "The",
        "don't",
        "'s",
        "'S",
        "'ll",
        "'LL",
        "'vE",
        "'re",
        "'\u017F",
        "'",
        "''",
        "1",
        "42",
        "1234567",
        "\u0663\u096B",
        "\u2167",
        "!",
        "?!",
        "...",
        "<|end|>",
        "\u00E9",
        "stra\u00DFe",
        "\u4E2D\u6587",
        "\uD83D\uDE00",
        "\uD83D\uDC69\u200D\uD83D\uDCBB",
        "\uD800\uDF00",
        "\u0301",
        "e\u0301",
        "\u0000",
        "\u007F",
        "\uFEFF",
        "\uDBFF\uDFFF",
        "abcdefghijklmnop",
        "ABCDEFGH",
        "[",
        "`",
        "@",
        "{",
        "z\u00FFz",
        "camelCase",
        "HTMLPage",
        "A",
        "bC",
        "\u01C5",
        "\u02B0",
        "\u0903",
        "\u0301A!",
        "/",
        "\n/\r"
    };

    private static List<String> split(SplitPattern pattern, byte[] text, int from, int to) {
        List<String> words = new ArrayList<>();
        for (int start = from; start < to; ) {
            int end = pattern.next(text, start, to);
            words.add(new String(text, start, end - start, StandardCharsets.UTF_8));
            start = end;
        }
        return words;
    }

    private static List<String> split(SplitPattern pattern, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return split(pattern, utf8, 0, utf8.length);
    }

    @ParameterizedTest
    @EnumSource
    void followsItsExpression(SplitPattern pattern) {
        Pattern regex = Pattern.compile(pattern.regex(), Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE);
        Random random = new Random(1);
        for (int n = 0; n < 20_000; n++) {
            StringBuilder built = new StringBuilder();
            for (int i = random.nextInt(12); i >= 0; i--) {
                built.append(PIECES[random.nextInt(PIECES.length)]);
            }
            String text = built.toString();
            List<String> expected = new ArrayList<>();
            for (Matcher matcher = regex.matcher(text); matcher.find(); ) {
                expected.add(matcher.group());
            }
            assertThat(split(pattern, text)).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @EnumSource
    void findsShortWordsAsItFindsAll(SplitPattern pattern) {
        Random random = new Random(2);
        int found = 0;
        for (int n = 0; n < 20_000; n++) {
            StringBuilder built = new StringBuilder();
            while (built.length() < 40) {
                built.append(PIECES[random.nextInt(PIECES.length)]);
            }
            byte[] text = built.toString().getBytes(StandardCharsets.UTF_8);
            ByteBuffer bytes = ByteBuffer.wrap(text).order(ByteOrder.LITTLE_ENDIAN);
            for (int start = 0; start + 16 <= text.length; ) {
                int end = pattern.next(text, start, text.length);
                int length = pattern.shortWord(bytes.getLong(start), bytes.getLong(start + 8));
                if (length > 0) {
                    found++;
                    assertThat(length).as(built.substring(0)).isEqualTo(end - start);
                }
                start = end;
            }
        }
        assertThat(found).isGreaterThan(20_000);
    }

    @ParameterizedTest
    @EnumSource
    void staysWithinItsBounds(SplitPattern pattern) {
        String inner = "it's 12345 caf\u00E9s,  \u4E2D";
        byte[] text = ("x' " + inner + "\u4E2Dlonger than eight letters").getBytes(StandardCharsets.UTF_8);

        List<String> words = split(pattern, text, 3, 3 + inner.getBytes(StandardCharsets.UTF_8).length);

        assertThat(words).isEqualTo(split(pattern, inner));
    }

    @Test
    void takesBytesThatAreNotUtf8AsSigns() {
        byte[] text = {'a', (byte) 0xFF, (byte) 0xE4, (byte) 0xB8, 'b', ' ', (byte) 0xC0, (byte) 0x80, '1'};

        List<Integer> ends = new ArrayList<>();
        for (int end = 0; end < text.length; ) {
            end = SplitPattern.GPT2.next(text, end, text.length);
            ends.add(end);
        }

        assertThat(ends).containsExactly(1, 4, 5, 8, 9);
    }

    @Test
    void differsFromLlama3OnlyInFinalWhiteSpace() {
        assertThat(split(SplitPattern.CL100K, "a \n b \n ")).containsExactly("a", " \n", " b", " \n ");
        assertThat(split(SplitPattern.LLAMA3, "a \n b \n ")).containsExactly("a", " \n", " b", " \n", " ");
    }
}
