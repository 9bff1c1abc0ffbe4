package org.quern.corpus.language;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExcerptTest {
    @Test
    void takesWholeWordsFromTheBeginningToTheEnd() {
        String text = IntStream.range(0, 10_000).mapToObj(i -> "word" + i).collect(Collectors.joining(" "));
        String excerpt = new Excerpt(600).of(text).toString();
        assertThat(excerpt.length()).isBetween(550, 1000);
        assertThat(excerpt).startsWith("word0 word1 ").endsWith(" word9999 ");
        assertThat(excerpt.trim().split("\\s+"))
                .allSatisfy(word -> assertThat(word).matches("word\\d+"));
        assertThat(excerpt).contains("word1534 ", "word5763 ").doesNotContain("word1000 ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "short", "\ud83d\ude00"})
    void leavesShortTextsAsTheyAre(String text) {
        assertThat(new Excerpt(600).of(text)).isEqualTo(text);
        assertThat(new Excerpt(Integer.MAX_VALUE).of(text.repeat(1000))).isEqualTo(text.repeat(1000));
    }

    /// Texts without spaces are cut anywhere but inside of a character.
    @ParameterizedTest
    @ValueSource(strings = {"\u6587", "\ud83d\ude00", "a\ud83d\ude00"})
    void cutsTextsWithoutSpaces(String character) {
        String excerpt = new Excerpt(601).of(character.repeat(3001)).toString();
        assertThat(excerpt.length()).isBetween(550, 700);
        assertThat(excerpt.chars()
                        .filter(c -> Character.isHighSurrogate((char) c))
                        .count())
                .isEqualTo(excerpt.chars()
                        .filter(c -> Character.isLowSurrogate((char) c))
                        .count());
        assertThat(excerpt.replace(" ", "").codePoints()).noneMatch(c -> c >= 0xd800 && c < 0xe000);
    }

    @Test
    void copesWithWhiteSpaceAlone() {
        assertThat(new Excerpt(100).of(" \n".repeat(500)).toString()).isBlank();
    }
}
