package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class EncoderTest {
    private static final String TEXT = """
            It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want \
            of a wife. However little known the feelings or views of such a man may be on his first entering a \
            neighbourhood, this truth is so well fixed in the minds of the surrounding families, that he is considered \
            the rightful property of some one or other of their daughters. aaaaaaaaaaaaa abababababab\n""";

    private final Tokenizer tokenizer = BpeTrainerTest.train(SplitPattern.GPT2, 420, 1, TEXT);

    /// Merges as the definition says: of all adjacent pairs the one that was learned first, leftmost first.
    private List<Integer> mergePlainly(byte[] word) {
        List<Integer> ids = new ArrayList<>();
        for (byte b : word) {
            ids.add(tokenizer.encode(new String(new byte[] {b}, StandardCharsets.ISO_8859_1))[0]);
        }
        Merges merges = tokenizer.merges();
        while (true) {
            int bestRank = merges.size();
            int best = -1;
            for (int i = 0; i + 1 < ids.size(); i++) {
                long pair = PairTable.pair(ids.get(i), ids.get(i + 1));
                for (int rank = 0; rank < bestRank; rank++) {
                    if (merges.pairs()[rank] == pair) {
                        bestRank = rank;
                        best = i;
                    }
                }
            }
            if (best < 0) {
                return ids;
            }
            ids.set(best, merges.results()[bestRank]);
            ids.remove(best + 1);
        }
    }

    @Test
    void mergesShortAndLongWordsAsDefined() {
        Random random = new Random(3);
        for (int length : new int[] {1, 2, 7, 8, 9, 14, 15, 16, 17, 64, 98, 99, 100, 101, 207, 500}) {
            for (int n = 0; n < 20; n++) {
                String alphabet = n % 2 == 0 ? "ab" : "abdehinorstu";
                String word = random.ints(length, 0, alphabet.length())
                        .mapToObj(i -> alphabet.substring(i, i + 1))
                        .collect(Collectors.joining());

                List<Integer> ids =
                        Arrays.stream(tokenizer.encode(word)).boxed().toList();

                assertThat(ids).as(word).isEqualTo(mergePlainly(word.getBytes(StandardCharsets.UTF_8)));
            }
        }
    }

    @Test
    void cacheChangesNothing() {
        Encoder encoder = tokenizer.encoder();
        TokenBuffer ids = new TokenBuffer();
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 300_000; i += 7) {
                byte[] text = (" a" + Integer.toString(i, 26)).getBytes(StandardCharsets.UTF_8);
                ids.clear();
                encoder.encode(text, 0, text.length, ids);
                assertThat(tokenizer.decodeBytes(ids.toArray())).isEqualTo(text);
                if (i % 1001 == 0) {
                    assertThat(ids.toArray()).isEqualTo(tokenizer.encode(new String(text, StandardCharsets.UTF_8)));
                }
            }
        }
    }

    @Test
    void remembersLongWordsAndWordsOfManyTokens() {
        Encoder encoder = tokenizer.encoder();
        TokenBuffer ids = new TokenBuffer();
        for (String word : List.of("qxzqxzqxzqxzqxz", "qxzqxz", "qx".repeat(40), "qx".repeat(60))) {
            byte[] text = word.getBytes(StandardCharsets.UTF_8);
            for (int round = 0; round < 3; round++) {
                ids.clear();
                encoder.encode(text, 0, text.length, ids);
                assertThat(IntStream.of(ids.toArray()).boxed().toList()).isEqualTo(mergePlainly(text));
            }
        }
    }

    @Test
    void keepsABoundedNumberOfWords() {
        Encoder encoder = tokenizer.encoder();
        TokenBuffer ids = new TokenBuffer();
        for (int i = 0; i < 400_000; i++) {
            String text =
                    " qxzqxz" + Integer.toString(i, 26).replaceAll("[0-9]", "x") + (i % 2 == 0 ? "qxzqxzqxz" : "");
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            ids.clear();
            encoder.encode(utf8, 0, utf8.length, ids);
            assertThat(tokenizer.decodeBytes(ids.toArray())).isEqualTo(utf8);
        }
    }

    @Test
    void encodesPartOfAnArray() {
        byte[] text = ("xx" + TEXT + "yy").getBytes(StandardCharsets.UTF_8);
        TokenBuffer ids = new TokenBuffer();
        tokenizer.encoder().encode(text, 2, text.length - 2, ids);

        assertThat(ids.toArray()).isEqualTo(tokenizer.encode(TEXT));
    }

    @Test
    void appendsToTheBuffer() {
        TokenBuffer ids = new TokenBuffer();
        ids.add(7);
        tokenizer.encoder().encode(new byte[] {'a'}, 0, 1, ids);
        tokenizer.encoder().encode(new byte[0], 0, 0, ids);

        assertThat(ids.size()).isEqualTo(2);
        assertThat(ids.get(0)).isEqualTo(7);
        assertThat(tokenizer.decode(ids.get(1))).isEqualTo("a");
    }

    @Test
    void takesAMegabyteOfOneLetterInItsStride() {
        for (String letter : List.of("a", "^", "ab", " ", "\u00E9")) {
            String word = letter.repeat(1_000_000 / letter.length());

            assertThat(tokenizer.decode(tokenizer.encode(word))).isEqualTo(word);
        }
    }

    @Test
    void readsSpecialTokensOnlyWhenAsked() {
        int end = tokenizer.endOfText().orElseThrow();
        String text = "one<|endoftext|>two<|endoftext|>";

        assertThat(tokenizer.encode(text)).doesNotContain(end).hasSizeGreaterThan(8);
        assertThat(tokenizer.encodeWithSpecials(text)).endsWith(end).containsSequence(tokenizer.encode("two"));
        assertThat(tokenizer.decode(tokenizer.encodeWithSpecials(text))).isEqualTo(text);
    }

    @Test
    void decodesWhatItEncodes() {
        Random random = new Random(5);
        int[] bounds = {0x80, 0x800, 0x3000, 0x10000, 0x110000};
        for (int n = 0; n < 10_000; n++) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(40); i > 0; i--) {
                int c = random.nextInt(bounds[random.nextInt(bounds.length)]);
                text.appendCodePoint(c >= 0xD800 && c < 0xE000 ? ' ' : c);
            }
            assertThat(tokenizer.decode(tokenizer.encode(text.toString()))).isEqualTo(text.toString());

            byte[] bytes = new byte[random.nextInt(40)];
            random.nextBytes(bytes);
            TokenBuffer ids = new TokenBuffer();
            tokenizer.encoder().encode(bytes, 0, bytes.length, ids);
            assertThat(tokenizer.decodeBytes(ids.toArray())).isEqualTo(bytes);
        }
    }

    @Test
    void replacesHalfSurrogatePairs() {
        assertThat(tokenizer.encode("a\uD83D")).isEqualTo(tokenizer.encode("a\uFFFD"));
    }

    @Test
    void idsThatAreNoTokenDecodeToNothing() {
        assertThat(tokenizer.decode(-1, tokenizer.vocabSize())).isEmpty();
        assertThat(tokenizer.tokenBytes(tokenizer.vocabSize())).isZero();
    }

    @Test
    void knowsTheBytesOfTokens() {
        int[] ids = tokenizer.encode(TEXT);

        assertThat(IntStream.of(ids).map(tokenizer::tokenBytes).sum()).isEqualTo(TEXT.length());
    }
}
