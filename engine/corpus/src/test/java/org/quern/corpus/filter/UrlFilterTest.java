package org.quern.corpus.filter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.QuernException;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;

class UrlFilterTest {
    @TempDir
    private Path folder;

    private UrlFilter filter;

    @BeforeEach
    void writeLists() throws IOException {
        Files.createDirectories(folder.resolve("ut1/adult"));
        Files.createDirectories(folder.resolve("ut1/games"));
        Files.writeString(
                folder.resolve("ut1/adult/domains"), "Bad.example\n# comment\n\nsub.listed.example\n203.0.113.9\n");
        Files.writeString(folder.resolve("ut1/adult/urls"), "fine.example/bad/page.html\nhttp://other.example/x/\n");
        Files.writeString(folder.resolve("ut1/games/domains"), "play.example\n");
        filter = new UrlFilter(UrlLists.builtIn().withToulouse(folder.resolve("ut1"), List.of("adult")), 2);
    }

    private String reason(String url) {
        Verdict verdict = filter.apply(Page.ofText(new Page.Origin("a", 0, 0, "", ""), url, "", "text"));
        return verdict instanceof Verdict.Dropped dropped ? dropped.reason() + " " + dropped.evidence() : "kept";
    }

    @ParameterizedTest
    @CsvSource({
        "https://bad.example/index.html, domain bad.example",
        "https://www.BAD.example:8080/, domain bad.example",
        "http://a.b.sub.listed.example?q, domain sub.listed.example",
        "http://203.0.113.9/x, domain 203.0.113.9",
        "http://fine.example/bad/page.html, url fine.example/bad/page.html",
        "https://other.example/x, url other.example/x",
        "https://fine.example/a/Porn-pictures, banned_word porn",
        "https://fine.example/casino/hot_babes, soft_words babes casino hot",
        "https://fine.example/a?id=my-Casino.bonus, banned_part casinobonus"
    })
    void drops(String url, String expected) {
        assertThat(reason(url)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://listed.example/",
                "https://notbad.example/",
                "https://bad.example.org/",
                "https://fine.example/bad.example",
                "https://fine.example/bad/page.html?x=1",
                "https://play.example/",
                "https://fine.example/casino",
                "https://fine.example/casino/casino",
                "https://essex.example/sexton-anglo/popcorn",
                "https://münchen.example/straße",
                "mailto:",
                ""
            })
    void keeps(String url) {
        assertThat(reason(url)).isEqualTo("kept");
    }

    @Test
    void readsAllCategoriesWhenNoneIsNamed() {
        assertThat(UrlLists.empty()
                        .withToulouse(folder.resolve("ut1"), List.of())
                        .domains()
                        .size())
                .isEqualTo(4);
    }

    @Test
    void addsTheListsOfAFolder() throws IOException {
        Files.writeString(folder.resolve("banned-words.txt"), "Kitten\n");
        Files.writeString(folder.resolve("domains.txt"), "cats.example");
        filter = new UrlFilter(UrlLists.empty().with(folder), 2);

        assertThat(reason("http://x.example/kitten")).isEqualTo("banned_word kitten");
        assertThat(reason("http://www.cats.example/")).isEqualTo("domain cats.example");
        assertThat(reason("http://x.example/porn")).isEqualTo("kept");
    }

    @Test
    void namesAMissingCategory() {
        assertThatThrownBy(() -> UrlLists.empty().withToulouse(folder.resolve("ut1"), List.of("adlut")))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("no category adlut");
    }

    @Test
    void findsPartsWhereverTheyOverlap() {
        Random random = new Random(3);
        for (int round = 0; round < 300; round++) {
            List<String> parts = random.ints(5, 0, 30)
                    .mapToObj(i -> Integer.toString(i, 3) + i % 2)
                    .toList();
            String text =
                    random.ints(20, 0, 4).mapToObj(i -> i == 3 ? "-" : "" + i).reduce("", String::concat);
            String plain = text.replace("-", "");
            boolean contains = parts.stream().anyMatch(plain::contains);

            String found = new PartFinder(parts).find(text);
            assertThat(!found.isEmpty()).as(parts + " in " + text).isEqualTo(contains);
            assertThat(found.isEmpty() || parts.contains(found) && plain.contains(found))
                    .isTrue();
        }
    }
}
