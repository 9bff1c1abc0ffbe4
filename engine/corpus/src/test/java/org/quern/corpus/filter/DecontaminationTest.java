package org.quern.corpus.filter;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;
import org.quern.corpus.filter.Decontamination.Evaluated;

class DecontaminationTest {
    private static final String QUESTION = words("q", 20);
    private static final List<Evaluated> EVALUATED =
            List.of(new Evaluated("test:1", QUESTION), new Evaluated("test:2", words("r", 12)));

    private static String words(String letter, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> letter + (char) ('a' + i))
                .collect(Collectors.joining(" "));
    }

    private static Verdict apply(int limit, String text) {
        return new Decontamination(EVALUATED, Decontamination.DEFAULT_WORDS, limit)
                .apply(Page.ofText(new Page.Origin("a", 0, 0, "", ""), "", "", text));
    }

    @Test
    void dropsAPageWithThirteenWordsOfAQuestion() {
        String quoted =
                "before " + String.join(" ", List.of(QUESTION.split(" ")).subList(4, 17)) + " after";

        assertThat(apply(1, quoted)).isEqualTo(new Verdict.Dropped("evaluation", 1, "test:1"));
        assertThat(apply(1, quoted.toUpperCase().replace(" ", ", ")))
                .isEqualTo(new Verdict.Dropped("evaluation", 1, "test:1"));
        assertThat(apply(2, quoted)).isInstanceOf(Verdict.Kept.class);
        assertThat(apply(2, QUESTION)).isEqualTo(new Verdict.Dropped("evaluation", 8, "test:1"));
    }

    @Test
    void keepsAPageWithTwelve() {
        String quoted = String.join(" ", List.of(QUESTION.split(" ")).subList(4, 16)) + " other " + words("r", 12);

        assertThat(apply(1, quoted)).isInstanceOf(Verdict.Kept.class);
        assertThat(apply(1, "")).isInstanceOf(Verdict.Kept.class);
    }

    @Test
    void holdsManyTexts() {
        List<Evaluated> many = IntStream.range(0, 2000)
                .mapToObj(i -> new Evaluated(
                        "t" + i,
                        words(
                                "x" + Integer.toString(i, 26).replaceAll("\\d", "z") + (char) ('a' + i % 26)
                                        + (char) ('a' + i / 26 % 26) + (char) ('a' + i / 676),
                                14)))
                .toList();
        Decontamination stage = new Decontamination(many, 13, 1);
        for (int i = 0; i < many.size(); i += 97) {
            Verdict verdict = stage.apply(Page.ofText(
                    new Page.Origin("a", 0, 0, "", ""), "", "", many.get(i).text()));
            assertThat(verdict).isEqualTo(new Verdict.Dropped("evaluation", 2, "t" + i));
        }
    }
}
