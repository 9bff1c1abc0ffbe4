package org.quern.corpus.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Pages made to break extractors: each is read to its end, or to the limits, in time that grows with its size.
class HostilePagesTest {
    private static final String PROSE =
            "<p>The mill stands where the river bends, and its wheel has turned since the bridge was built.";

    private static ExtractedText extract(String html) {
        return new TextExtractor().extract(html.getBytes(StandardCharsets.UTF_8), "text/html; charset=utf-8");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "div",
                "b",
                "a href=x",
                "font size=1",
                "table",
                "table><tr><td",
                "ul><li",
                "form",
                "p",
                "section",
                "span",
                "h1",
                "h1><div",
                "select",
                "svg",
                "math",
                "template",
                "blockquote",
                "pre",
                "nav",
                "aside class=sidebar",
                "button",
                "option",
                "ruby><rt",
                "dl><dt",
                "svg><foreignObject",
                "frameset",
                "details><summary",
                "article class=comment"
            })
    void readsDeepNesting(String tag) {
        extract(PROSE + ("<" + tag + ">").repeat(100_000) + PROSE);
        extract(("<" + tag + ">x").repeat(100_000) + ("</" + tag.split("[ >]")[0] + ">").repeat(100_000) + PROSE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"class", "id", "style", "href", "data-x", "itemprop", "role"})
    void readsHugeAttributes(String name) {
        String value = "article-body ".repeat(200_000);
        assertThat(extract("<div " + name + "='" + value + "'>" + PROSE + "</div>")
                        .text())
                .contains("The mill");
        assertThat(extract("<div " + (name + "1='x' ").repeat(100_000) + ">" + PROSE + "</div>")
                        .text())
                .contains("The mill");
        StringBuilder many = new StringBuilder("<div ");
        for (int i = 0; i < 100_000; i++) {
            many.append(name).append(i).append(" ");
        }
        assertThat(extract(many + ">" + PROSE).text()).contains("The mill");
    }

    @Test
    void readsHugeText() {
        assertThat(extract("<p>" + "word ".repeat(1_000_000)).text()).hasSize(4_999_999);
        assertThat(extract("<p>" + "x".repeat(5_000_000)).text()).hasSize(5_000_000);
        assertThat(extract("<p>" + " ".repeat(5_000_000) + PROSE).text()).startsWith("The mill");
        extract("<p>" + "&amp;".repeat(1_000_000));
        extract("<p>" + "&".repeat(5_000_000));
        extract("<pre>" + "\n".repeat(5_000_000) + PROSE);
        extract("<p>" + "!".repeat(5_000_000) + PROSE);
        extract("<br>".repeat(1_000_000) + PROSE);
    }

    @Test
    void readsManyElements() {
        extract("<h2><a href=x>Related</a></h2>".repeat(100_000));
        extract((PROSE + "<h2>Related</h2>").repeat(20_000));
        extract("<i><p>".repeat(100_000) + PROSE);
        extract("<li><a href=x>x</a>".repeat(200_000) + PROSE);
        extract("<table>" + ("<tr>" + "<td>x".repeat(1000)).repeat(200));
        extract("<tr><td>x".repeat(200_000));
        extract("<table><tr>" + "<td>x".repeat(300_000));
        StringBuilder formats = new StringBuilder();
        for (int i = 0; i < 20_000; i++) {
            formats.append("<b id=").append(i).append("><p>x");
        }
        extract(formats + PROSE);
    }

    @Test
    void readsBrokenStatements() {
        String open = "<script type='application/ld+json'>";
        extract(open + "[".repeat(1_000_000) + "\"articleBody\"</script>" + PROSE);
        extract(open + "{\"articleBody\": \"" + "<".repeat(1_000_000) + "\"}</script>" + PROSE);
        extract(open + "{\"articleBody\": \"\\ud800 \\u0000 \\q</script>" + PROSE);
        extract((open + "{\"articleBody\": 1}</script>").repeat(10_000) + PROSE);
        extract("<meta charset=".repeat(100_000) + PROSE);
    }

    @Test
    void readsAnyBytes() {
        SplittableRandom random = new SplittableRandom(11);
        for (int length : new int[] {1, 2, 3, 4, 7, 63, 1000, 100_000, 1_000_000}) {
            byte[] bytes = new byte[length];
            random.nextBytes(bytes);
            for (String type : new String[] {
                "", "text/html; charset=utf-8", "text/html; charset=utf-16", "; charset=", "charset=iso-2022-kr"
            }) {
                new TextExtractor().extract(bytes, type);
            }
        }
    }

    @Test
    void readsMutatedPages() throws IOException {
        byte[][] pages = {
            Files.readAllBytes(Path.of("src/test/resources/pages/news.html")),
            Files.readAllBytes(Path.of("src/test/resources/pages/blog.html")),
            Files.readAllBytes(Path.of("src/test/resources/pages/rustdoc.html"))
        };
        TextExtractor extractor = new TextExtractor();
        IntStream.range(0, 1000).parallel().forEach(seed -> {
            byte[] page = mutate(pages[seed % pages.length], new SplittableRandom(seed));
            ExtractedText text = extractor.extract(page, "");
            assertThat(extractor.extract(page, "")).as("seed %d", seed).isEqualTo(text);
        });
    }

    private static byte[] mutate(byte[] page, SplittableRandom random) {
        byte[] mutated = page.clone();
        for (int i = random.nextInt(1, 40); i > 0; i--) {
            int at = random.nextInt(mutated.length);
            switch (random.nextInt(4)) {
                case 0 -> mutated[at] = (byte) random.nextInt();
                case 1 -> mutated[at] = (byte) "<>&\"'/= -!".charAt(random.nextInt(10));
                case 2 -> {
                    int length = Math.min(random.nextInt(200), mutated.length - at);
                    System.arraycopy(page, random.nextInt(page.length - length), mutated, at, length);
                }
                default -> mutated[at] ^= (byte) (1 << random.nextInt(8));
            }
        }
        return mutated;
    }
}
