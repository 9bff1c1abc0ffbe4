package org.quern.corpus.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;

class TextExtractorTest {
    private static final Path PAGES = Path.of("src/test/resources/pages");
    private static final String PROSE =
            "The mill stands where the river bends, and its wheel has turned since the bridge was built.";

    private static ExtractedText extract(String html) {
        return new TextExtractor().extract(html.getBytes(StandardCharsets.UTF_8), "text/html");
    }

    private static String paragraphs(int count) {
        return ("<p>" + PROSE + "</p>\n").repeat(count);
    }

    @ParameterizedTest
    @ValueSource(strings = {"news", "blog", "recipe", "rustdoc"})
    void takesWhatPeopleTook(String page) throws IOException {
        ExtractedText extracted = new TextExtractor().extract(Files.readAllBytes(PAGES.resolve(page + ".html")), "");
        assertThat(extracted.text() + "\n").isEqualTo(Files.readString(PAGES.resolve(page + ".txt")));
        assertThat(extracted.truncated()).isFalse();
    }

    @Test
    void tellsWhatThePageSaysOfItself() throws IOException {
        ExtractedText extracted = new TextExtractor().extract(Files.readAllBytes(PAGES.resolve("news.html")), "");
        assertThat(extracted.title()).isEqualTo("Millers keep their stones turning");
        assertThat(extracted.language()).isEqualTo("en-GB");
        assertThat(extracted.robots()).isEqualTo("max-image-preview:large");
        assertThat(extracted.license()).isEqualTo("https://creativecommons.org/licenses/by/4.0/");
        assertThat(extracted.charset()).isEqualTo(StandardCharsets.UTF_8);
    }

    @Test
    void isTheSameForAllThreads() throws IOException {
        byte[] html = Files.readAllBytes(PAGES.resolve("news.html"));
        TextExtractor extractor = new TextExtractor();
        List<ExtractedText> texts = IntStream.range(0, 200)
                .parallel()
                .mapToObj(_ -> extractor.extract(html, ""))
                .toList();
        assertThat(texts).containsOnly(extractor.extract(html, ""));
    }

    @Test
    void normalisesSpace() {
        assertThat(extract("<p>" + PROSE + "</p><p>one&nbsp;\n\t two\u00ad\u200b three\u0007</p><p>" + PROSE)
                        .text())
                .isEqualTo(PROSE + "\none two three\n" + PROSE);
    }

    @Test
    void breaksLinesWhereThePageDoes() {
        assertThat(extract("<div>" + PROSE + "<br>" + PROSE + "<br><br>" + PROSE + "<div>inner " + PROSE
                                + "</div></div>")
                        .text()
                        .lines())
                .containsExactly(PROSE, PROSE, PROSE, "inner " + PROSE);
    }

    @Test
    void keepsWordsWholeAcrossMarkup() {
        assertThat(extract("<p>Mill<b>er</b>s g<i>ri</i>nd <a href=/f>fl<u>ou</u>r</a>. " + PROSE + "</p>")
                        .text())
                .startsWith("Millers grind flour. The mill");
    }

    @Test
    void takesTheArticleThatScriptsWouldShow() {
        String body = (PROSE + " ").repeat(6).strip();
        String html =
                "<body><div id=app></div><script type='application/ld+json'>{\"@graph\": [{\"articleBody\": \"%s\"}, {"
                        .formatted(body);
        assertThat(extract(html).text()).isEqualTo(body);
    }

    @Test
    void believesNoNameThatTakesAllTheText() {
        String comments = "<div class=comments>" + paragraphs(8) + "</div>";
        assertThat(extract("<h1>Thread</h1>" + comments).text().lines()).hasSize(8);
        assertThat(extract("<h1>Story</h1><div class=story>" + paragraphs(5) + "</div>" + comments)
                        .text()
                        .lines())
                .hasSize(5);
        assertThat(extract("<div class=sidebar>" + paragraphs(5) + "</div>")
                        .text()
                        .lines())
                .hasSize(5);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "overflow-hidden",
                "field--label-hidden",
                "has-sidebar",
                "elementor-widget-wrap",
                "block-c069ad",
                "callout",
                "node--promoted"
            })
    void keepsWhatOnlySeemsNamedForSomethingElse(String name) {
        String inner = "<div class='" + name + "'><p>Inner. " + PROSE + "</p></div>";
        assertThat(extract(paragraphs(4) + inner + paragraphs(4)).text()).contains("Inner.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"hidden", "sidebar", "widget widget-recent", "widget2 popular", "ad-1 promo", "promotion"})
    void dropsWhatIsNamedForSomethingElse(String name) {
        String inner = "<div class='" + name + "'><p>Inner. " + PROSE + " <a href=/n>More of the like</a></p></div>";
        assertThat(extract(paragraphs(4) + inner + paragraphs(4)).text()).doesNotContain("Inner.");
    }

    @Test
    void keepsHeadingsWhateverTheirIds() {
        String heading = "<h2 id=publish-notice>Publish a notice</h2>";
        assertThat(extract(paragraphs(4) + heading + paragraphs(4)).text()).contains("Publish a notice");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Quelle: the valley",
                "We may earn a commission.",
                "Create an account or sign in to go on.",
                "Crédits photos : the valley",
                "Credit:"
            })
    void dropsLinesThatLeadAway(String line) {
        assertThat(extract(paragraphs(4) + "<p>" + line + "</p>" + paragraphs(4))
                        .text())
                .doesNotContain(line);
    }

    @Test
    void keepsTheCommentsOfPrograms() {
        String program = "<pre>mill <span class=hljs-comment># grinds the corn</span>\nstop</pre>";
        assertThat(extract(paragraphs(4) + program + paragraphs(4)).text()).contains("mill # grinds the corn\nstop");
    }

    @Test
    void choosesTheArticleAmongTeasers() {
        String teaser = "<div class=x><h3><a href=/n>Another story of the valley</a></h3><p>" + PROSE + "</p></div>";
        String html = "<div class=page><div class=entry-content>" + paragraphs(6) + "</div><div class=bottom>"
                + teaser.repeat(4) + "</div></div>";
        assertThat(extract(html).text().lines()).hasSize(6);
    }

    private static String distinct(int from, int to) {
        StringBuilder html = new StringBuilder();
        for (int i = from; i < to; i++) {
            html.append("<p>Mill %d. %s</p>".formatted(i, PROSE));
        }
        return html.toString();
    }

    @Test
    void takesTheNamedElementHoweverDeepItStands() {
        String voices = ("<div class=voice><p>" + PROSE + " I come here often.</p></div>").repeat(8);
        String html = "<div><div class=row><div class=entry-content>" + distinct(0, 6) + "</div></div></div><div><div>"
                + voices + "</div></div>";
        assertThat(extract(html).text().lines()).hasSize(6);
    }

    @Test
    void takesACopyOnce() {
        String copy = "<h2>Wheels</h2>" + distinct(0, 4) + "<h2>Stones</h2>" + distinct(4, 6);
        String html = "<div class=wide>" + copy + "</div><div class=narrow>" + copy + "</div>";
        assertThat(extract(html).text().lines()).hasSize(8).doesNotHaveDuplicates();
    }

    @Test
    void takesALeadOnceThatTheTextBeginsWith() {
        String html = "<h1>Mills</h1><p>Mill 0. " + PROSE + "</p><div class=article-body>" + distinct(0, 5) + "</div>";
        assertThat(extract(html).text().lines()).hasSize(5).doesNotHaveDuplicates();
    }

    @Test
    void keepsTheTextAfterABoxThatLeadsAway() {
        String box = "<section><div><h2>Related</h2></div><h3><a href=/a>A bridge is built</a></h3></section>";
        String text = extract("<article>" + distinct(0, 3) + box + distinct(3, 9) + "</article>")
                .text();
        assertThat(text.lines()).hasSize(9);
        assertThat(text).doesNotContain("Related", "A bridge");
    }

    @Test
    void dropsATeaserAmidTheText() {
        String teaser = "<div><h3><a href=/a>A bridge is built</a></h3><span>24. 1. 2025</span></div>";
        assertThat(extract("<article>" + distinct(0, 3) + teaser + distinct(3, 6) + "</article>")
                        .text())
                .doesNotContain("A bridge");
        String heading = "<div><h3><a href=/a>A bridge is built</a></h3>" + distinct(3, 6) + "</div>";
        assertThat(extract("<article>" + distinct(0, 3) + heading + "</article>")
                        .text())
                .contains("A bridge is built\nMill 3.");
    }

    @Test
    void keepsThePointsBeforeTheText() {
        String points = "<ul><li>Three mills of the valley grind again after a winter of repairs.</li></ul>";
        assertThat(extract("<h1>Mills</h1>" + points + "<div class=article-body>" + distinct(0, 4) + "</div>")
                        .text())
                .startsWith("- Three mills");
    }

    @Test
    void dropsAFooterLongerThanTheText() {
        String footer = "<footer>" + paragraphs(5) + "</footer>";
        assertThat(extract("<p>Mill 0. " + PROSE + "</p><div>" + distinct(1, 4) + "</div>" + footer)
                        .text()
                        .lines())
                .hasSize(4);
    }

    @Test
    void leavesOutTheTitleWhateverTheLevelOfItsHeading() {
        String html = "<title>The mills of the valley - Gazette</title><h2>The mills of the valley</h2><h3>Wheels</h3>";
        assertThat(extract(html + distinct(0, 4)).text()).startsWith("Wheels\nMill 0.");
    }

    @Test
    void readsNoMoreThanItsLimits() {
        byte[] html = ("<body>" + paragraphs(1000)).getBytes(StandardCharsets.UTF_8);
        ExtractedText characters = new TextExtractor(5000, 1_000_000).extract(html, "");
        assertThat(characters.truncated()).isTrue();
        assertThat(characters.text().length()).isBetween(4000, 5000);
        ExtractedText nodes = new TextExtractor(1_000_000, 300).extract(html, "");
        assertThat(nodes.truncated()).isTrue();
        assertThat(nodes.text().lines().count()).isBetween(90L, 150L);
    }

    @Test
    void isEmptyWhereThereIsNothing() {
        for (String html : List.of("", " ", "<html>", "<body><script>var x = 1;</script>", "<p>&nbsp;</p>")) {
            assertThat(extract(html).text()).as(html).isEmpty();
        }
    }

    @Test
    void stageWritesTextAndRightsOrDrops() throws IOException {
        ExtractStage stage = new ExtractStage();
        Page.Origin origin = new Page.Origin("a.warc", 0, 0, "", "");
        byte[] html = Files.readAllBytes(PAGES.resolve("news.html"));
        assertThat(stage.apply(Page.ofHtml(origin, "https://valley.example/", "", "text/html", html)))
                .isInstanceOfSatisfying(Verdict.Kept.class, kept -> {
                    assertThat(kept.page().text()).startsWith("Three watermills");
                    assertThat(kept.page().license()).isEqualTo("https://creativecommons.org/licenses/by/4.0/");
                    assertThat(kept.page().robots()).isEqualTo("max-image-preview:large");
                });
        byte[] empty = "<title>Nothing</title>".getBytes(StandardCharsets.UTF_8);
        assertThat(stage.apply(Page.ofHtml(origin, "", "", "", empty)))
                .isEqualTo(new Verdict.Dropped("no_text", empty.length, "Nothing"));
        Page text = Page.ofText(origin, "", "", PROSE);
        assertThat(stage.apply(text)).isEqualTo(new Verdict.Kept(text));
    }
}
