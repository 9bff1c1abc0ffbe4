package org.quern.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

class ConfigReaderTest {
    private static final Path FOLDER = Path.of("/folder");

    record Bakery(
            String name,
            @Range(min = 1) int ovens,
            @Default("10_000_000_000") long grains,
            @Range(above = 0, below = 1) @Default("0.5") double humidity,
            @Default("true") boolean open,
            @Default("rye_bread") Bread bread,
            @Default("[1, 2.5]") @Range(min = 0) List<Double> prices,
            Optional<Path> recipe,

            @Range(min = 1) @Default("auto") @EmptyWord("auto")
            Optional<Integer> bakers,

            Mill mill,
            @Default("{}") @EmptyWord("off") Optional<Shop> shop) {}

    enum Bread {
        RYE_BREAD,
        WHEAT,
        SPELT
    }

    record Mill(int stoneWidth, @Default("wind") String power) implements Checked {
        @Override
        public List<String> problems() {
            return stoneWidth % 2 == 0 ? List.of() : List.of("stone_width must be even: got " + stoneWidth);
        }
    }

    record Shop(@Default("3") int windows) {}

    private static final String GOOD = """
            name: Corner
            ovens: 2
            mill:
              stone_width: 120
            """;

    private static Bakery read(String yaml, String... overrides) {
        return ConfigReader.parse("bakery.yaml", yaml, FOLDER, Bakery.class, List.of(overrides));
    }

    private static void rejects(String yaml, String... problems) {
        assertThatThrownBy(() -> read(yaml)).isInstanceOfSatisfying(QuernException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
            assertThat(e.getMessage().lines()).containsExactly(problems);
        });
    }

    @Test
    void fillsInDefaults() {
        assertThat(read(GOOD))
                .isEqualTo(new Bakery(
                        "Corner",
                        2,
                        10_000_000_000L,
                        0.5,
                        true,
                        Bread.RYE_BREAD,
                        List.of(1.0, 2.5),
                        Optional.empty(),
                        Optional.empty(),
                        new Mill(120, "wind"),
                        Optional.of(new Shop(3))));
    }

    @Test
    void readsEveryKind() {
        String yaml = """
                name: "10"        # quoted
                ovens: 1_000
                grains: -5
                humidity: 3e-4
                open: false
                bread: spelt
                prices: []
                recipe: sub/../recipe.txt
                bakers: 7
                mill: {stone_width: 2, power: 42}
                shop: off
                """;
        assertThat(read(yaml))
                .isEqualTo(new Bakery(
                        "10",
                        1000,
                        -5,
                        3e-4,
                        false,
                        Bread.SPELT,
                        List.of(),
                        Optional.of(Path.of("/folder/recipe.txt")),
                        Optional.of(7),
                        new Mill(2, "42"),
                        Optional.empty()));
    }

    @Test
    void showsAllProblemsAtOnceInTheOrderOfLines() {
        rejects(
                """
                nam: Corner
                ovens: many
                humidity: 1
                open: yes
                bread: spelz
                ovens: 3
                prices: [1, -2]
                mill:
                  stonewidth: 3
                """,
                "bakery.yaml:1: nam is not a key of the configuration (did you mean name?)",
                "bakery.yaml:1: name is missing: a text",
                "bakery.yaml:2: ovens must be a whole number >= 1: got many",
                "bakery.yaml:3: humidity must be a number > 0 and < 1: got 1",
                "bakery.yaml:4: open must be true or false: got yes (write true)",
                "bakery.yaml:5: bread must be one of rye_bread, wheat, spelt: got spelz (did you mean spelt?)",
                "bakery.yaml:6: ovens is given twice: first in line 2",
                "bakery.yaml:7: prices[1] must be a number >= 0: got -2",
                "bakery.yaml:8: mill.stone_width is missing: a whole number",
                "bakery.yaml:9: mill.stonewidth is not a key of mill (did you mean stone_width?)");
    }

    @Test
    void namesTheSectionOfAMisplacedKey() {
        rejects(
                GOOD + "windows: 4\n",
                "bakery.yaml:5: windows is not a key of the configuration (did you mean shop.windows?)");
        rejects(GOOD + "  ovens: 4\n", "bakery.yaml:5: mill.ovens is not a key of mill (did you mean ovens?)");
        rejects(GOOD + "  flour: 4\n", "bakery.yaml:5: mill.flour is not a key of mill (it has stone_width, power)");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "ovens: 0 | ovens must be a whole number >= 1: got 0",
                "ovens: 1e3 | ovens must be a whole number >= 1: got 1e3 (write 1000)",
                "ovens: 1.5 | ovens must be a whole number >= 1: got 1.5",
                "ovens: \"3\" | ovens must be a whole number >= 1: got \"3\" (leave out the quotes)",
                "ovens: 3000000000 | ovens must be a whole number >= 1: got 3000000000 (the largest possible is 2147483647)",
                "ovens: | ovens must be a whole number >= 1: got nothing",
                "ovens: null | ovens must be a whole number >= 1: got nothing",
                "ovens: [3] | ovens must be a whole number >= 1: got a list",
                "ovens: {a: 3} | ovens must be a whole number >= 1: got a section",
                "ovens: 0x10 | ovens must be a whole number >= 1: got 0x10",
                "humidity: .nan | humidity must be a number > 0 and < 1: got .nan",
                "humidity: 1e999 | humidity must be a number > 0 and < 1: got 1e999",
                "grains: 99999999999999999999 | grains must be a whole number: got 99999999999999999999"
                        + " (the largest possible is 9223372036854775807)",
                "prices: 3 | prices must be a list, each a number >= 0: got 3 (write [3])",
                "prices: {} | prices must be a list, each a number >= 0: got a section",
                "prices: [x, 1] | prices[0] must be a number >= 0: got x",
                "bakers: some | bakers must be a whole number >= 1, or auto: got some",
                "mill: stone | mill must be a section with the keys stone_width, power: got stone",
                "mill: {stone_width: 3} | mill.stone_width must be even: got 3",
                "shop: on | shop must be a section with the keys windows, or off: got on",
                "bread: Spelt | bread must be one of rye_bread, wheat, spelt: got Spelt (did you mean spelt?)",
                "recipe: [a] | recipe must be a path: got a list",
                "<<: {a: 1} | << is not a key of the configuration (it has name, ovens, grains, humidity, open, bread,"
                        + " prices, recipe, bakers, mill, shop)",
            })
    void rejectsOneKey(String line, String problem) {
        String key = line.substring(0, line.indexOf(':'));
        StringBuilder yaml = new StringBuilder(line + "\n");
        for (String good : List.of("name: Corner", "ovens: 2", "mill: {stone_width: 120}")) {
            yaml.append(good.startsWith(key + ":") ? "" : good + "\n");
        }
        rejects(yaml.toString(), "bakery.yaml:1: " + problem);
    }

    @Test
    void saysWhereTheYamlIsBroken() {
        rejects(
                "name: [a\novens: 2\n",
                "bakery.yaml:2:6: is not YAML: expected ',' or ']', but got : while parsing a flow sequence");
        rejects(
                "name: a\n\tovens: 2\n",
                "bakery.yaml:2:1: is not YAML: found character '\\t(TAB)' that cannot start any token. (Do not use \\t(TAB) for indentation) while scanning for the next token");
        rejects(
                "- a\n",
                "bakery.yaml:1: must hold sections with keys, such as \"train:\" and below it \"  steps: 100\"");
        rejects(GOOD + "? [a]\n: b\n", "bakery.yaml:5: a key must be a word");
        rejects(
                GOOD + "shop: &s {windows: *s}\n",
                "bakery.yaml:5: shop contains itself",
                "bakery.yaml:5: shop must be a section with the keys windows, or off: got nothing");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "# nothing\n", "{}"})
    void asksForAllOfAnEmptyFile(String yaml) {
        rejects(
                yaml,
                "bakery.yaml:1: name is missing: a text",
                "bakery.yaml:1: ovens is missing: a whole number >= 1",
                "bakery.yaml:1: mill is missing: a section with the keys stone_width, power");
    }

    @Test
    void overridesWin() {
        Bakery bakery = read(
                GOOD,
                "ovens=5",
                "ovens=6",
                "mill.power = water",
                "shop.windows=9",
                "prices=[4]",
                "recipe=near.txt",
                "name=a=b");
        assertThat(bakery.ovens()).isEqualTo(6);
        assertThat(bakery.mill()).isEqualTo(new Mill(120, "water"));
        assertThat(bakery.shop()).contains(new Shop(9));
        assertThat(bakery.prices()).containsExactly(4.0);
        assertThat(bakery.recipe()).contains(Path.of("near.txt").toAbsolutePath());
        assertThat(bakery.name()).isEqualTo("a=b");
        assertThat(read(GOOD + "shop: off\n", "shop.windows=9").shop()).contains(new Shop(9));
        assertThat(read(GOOD, "shop=off").shop()).isEmpty();
    }

    @Test
    void problemsOfOverridesNameThem() {
        assertThatThrownBy(() -> read(
                        GOOD + "humid: 1\n",
                        "ovens=none",
                        "mill.stone_widht=3",
                        "mill.stone_width=7",
                        "prices=[1",
                        "open",
                        "=3",
                        "name="))
                .hasMessage("""
                        bakery.yaml:5: humid is not a key of the configuration (it has name, ovens, grains, humidity, \
                        open, bread, prices, recipe, bakers, mill, shop)
                        --set prices: the value [1 is not YAML: expected ',' or ']', but got <stream end> while \
                        parsing a flow sequence
                        --set open: must be KEY=VALUE, such as train.steps=200
                        --set : must be KEY=VALUE, such as train.steps=200
                        --set name: name must be a text: got nothing
                        --set ovens: ovens must be a whole number >= 1: got none
                        --set mill.stone_widht: mill.stone_widht is not a key of mill (did you mean stone_width?)
                        --set mill.stone_width: mill.stone_width must be even: got 7""");
    }

    @Test
    void writesWhatItReads() {
        Bakery bakery = new Bakery(
                "quote \" back\\slash\nline\ttab \u0007 \u00a9 \ud83c\udf5e # not: a comment",
                1,
                Long.MIN_VALUE,
                1e-300,
                true,
                Bread.WHEAT,
                List.of(0.1, 1e22),
                Optional.of(Path.of("/with space/x.txt")),
                Optional.of(3),
                new Mill(0, "true"),
                Optional.empty());
        assertThat(read(ConfigWriter.yaml(bakery))).isEqualTo(bakery);
        assertThat(read(ConfigWriter.yaml(read(GOOD)))).isEqualTo(read(GOOD));
    }

    @Test
    void rejectsFilesThatAreNone(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("quickstart.yaml"), GOOD);
        Path misspelt = folder.resolve("quikstart.yaml");
        assertThatThrownBy(() -> ConfigReader.read(misspelt, Bakery.class, List.of()))
                .hasMessage("%s does not exist (did you mean %s?)", misspelt, folder.resolve("quickstart.yaml"));
        Path missing = folder.resolve("no/such.yaml");
        assertThatThrownBy(() -> ConfigReader.read(missing, Bakery.class, List.of()))
                .hasMessage("%s does not exist", missing);
        assertThatThrownBy(() -> ConfigReader.read(folder, Bakery.class, List.of()))
                .hasMessage("%s is a folder: a configuration file was expected", folder);
        Path latin = folder.resolve("latin.yaml");
        Files.write(latin, "name: Bäckerei".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> ConfigReader.read(latin, Bakery.class, List.of()))
                .hasMessage("%s is not UTF-8 text: a YAML file was expected", latin);
    }

    @ParameterizedTest
    @CsvSource({"steps,steps,0", "mirco,micro,1", "stpes,steps,1", "lr,eps,3", "'',abc,3", "kitten,sitting,3"})
    void countsEdits(String from, String to, int edits) {
        assertThat(Spelling.distance(from, to)).isEqualTo(edits);
        assertThat(Spelling.distance(to, from)).isEqualTo(edits);
    }

    record Oven(@EmptyWord("off") Optional<Double> degrees, int trays) {
        static final Oven DEFAULT = new Oven(Optional.of(230.0), 4);
    }

    @Test
    void takesWhatIsMissingFromTheConstantOfTheRecord() {
        assertThat(ConfigReader.parse("oven.yaml", "trays: 2", FOLDER, Oven.class, List.of()))
                .isEqualTo(new Oven(Optional.of(230.0), 2));
        assertThat(ConfigReader.parse("oven.yaml", "degrees: off", FOLDER, Oven.class, List.of()))
                .isEqualTo(new Oven(Optional.empty(), 4));
    }
}
