package org.quern.corpus.filter;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;
import org.quern.corpus.fasttext.FastTextModel;
import org.quern.corpus.language.LanguageStage;

class StageTest {
    private static final Path MODELS = Path.of("src/test/resources/golden/fasttext");

    private static Page page(String text) {
        return Page.ofText(new Page.Origin("a", 0, 0, "", ""), "", "", text);
    }

    @Test
    void dropsByTheFirstBrokenRuleWithWhatItMeasured() {
        assertThat(new GopherQuality(GopherQuality.Settings.DEFAULT).apply(page("a few words")))
                .isEqualTo(new Verdict.Dropped("few_words", 3));
        assertThat(new FineWebQuality(FineWebQuality.Settings.DEFAULT).apply(page("One.\nTwo\nThree\nFour.\n")))
                .isEqualTo(new Verdict.Dropped("short_lines", 1));
        assertThat(new GopherRepetition(GopherRepetition.Settings.DEFAULT).apply(page("x\n\nx\n\nx")))
                .isEqualTo(new Verdict.Dropped("duplicate_paragraphs", 2 / 3.0));
    }

    @Test
    void looksAtNoRuleThatIsOff() {
        GopherQuality.Settings off = new GopherQuality.Settings(
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of());
        GopherRepetition.Settings none = new GopherRepetition.Settings(
                Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), List.of(), List.of());
        for (String text : new String[] {"", "\n\n", "# ... #", "x\n\nx\n\nx"}) {
            assertThat(new GopherQuality(off).apply(page(text))).isInstanceOf(Verdict.Kept.class);
            assertThat(new GopherRepetition(none).apply(page(text))).isInstanceOf(Verdict.Kept.class);
        }
    }

    @Test
    void copesWithAnyText() {
        String[] texts = {
            "",
            "\n",
            "\ud83d",
            "\ude00\ud83d",
            "a".repeat(100_000),
            "\u0000\u0001",
            "[".repeat(50_000),
            "...".repeat(9999)
        };
        for (String text : texts) {
            new GopherRepetition(GopherRepetition.Settings.DEFAULT).apply(page(text));
            new GopherQuality(GopherQuality.Settings.DEFAULT).apply(page(text));
            new C4Quality(C4Quality.Settings.DEFAULT).apply(page(text));
            new FineWebQuality(FineWebQuality.Settings.DEFAULT).apply(page(text));
        }
    }

    @Test
    void keepsPagesOfWantedLanguagesThatAreSureEnough() {
        FastTextModel model = FastTextModel.read(MODELS.resolve("hs.bin"));
        Page page = page("жбз вга абв");
        Verdict kept = new LanguageStage(model, Set.of(), 0, Optional.empty()).apply(page);
        String language = ((Verdict.Kept) kept).page().language();
        double score = ((Verdict.Kept) kept).page().languageScore();

        assertThat(new LanguageStage(model, Set.of(language), score + 0.001, Optional.empty()).apply(page))
                .isEqualTo(new Verdict.Dropped("language_score", score, language));
        assertThat(new LanguageStage(model, Set.of("xx"), 0, Optional.empty()).apply(page))
                .isEqualTo(new Verdict.Dropped("language", score, language));
    }

    @Test
    void keepsPagesThatAClassifierLikes() {
        FastTextModel model = FastTextModel.read(MODELS.resolve("softmax.bin"));
        Page page = page("жбз вга абв");
        double score = ((Verdict.Kept) new LearnedQuality(model, "l3", 0).apply(page))
                .page()
                .scores()
                .get("quality");

        assertThat(new LearnedQuality(model, "l3", score + 0.001).apply(page))
                .isEqualTo(new Verdict.Dropped("low_quality", score));
    }
}
