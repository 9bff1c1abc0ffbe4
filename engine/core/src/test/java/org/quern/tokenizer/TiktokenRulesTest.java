package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Encoding with random vocabularies against tiktoken's rule, followed step by step: a word that is a token is that
/// token; else the adjacent parts that make the token of the smallest rank become one, the leftmost first. Many of
/// the tokens cannot come about by that.
class TiktokenRulesTest {
    private static final List<String> ALPHABETS = List.of(
            "ab", "abc", "abcdefghij", "a\u00E9\u00E8", "\u4E2D\u56FD\u4EBA\u6C11", "a\u00E9\u4E2D\uD800\uDF30");

    @TempDir
    private Path folder;

    private final Random random = new Random(7);

    /// Latin-1 strings stand for bytes.
    private static String bytes(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    private String word(String alphabet, int characters) {
        StringBuilder word = new StringBuilder();
        int[] letters = alphabet.codePoints().toArray();
        for (int i = 0; i < characters; i++) {
            word.appendCodePoint(letters[random.nextInt(letters.length)]);
        }
        return word.toString();
    }

    private Map<String, Integer> vocabulary(String alphabet) {
        Set<String> tokens = new LinkedHashSet<>();
        for (int b = 0; b < 256; b++) {
            tokens.add(String.valueOf((char) b));
        }
        for (int n = 0; n < 120; n++) {
            String token = bytes(word(alphabet, 1 + random.nextInt(n % 10 == 0 ? 20 : 5)));
            int from = random.nextInt(token.length());
            tokens.add(n % 3 == 0 ? token.substring(from) : token);
            // Most tokens get what they are made of, so that merges go further.
            if (n % 4 != 0 && from > 0) {
                tokens.add(token.substring(0, from));
            }
        }
        Map<String, Integer> ranks = new HashMap<>();
        tokens.forEach(token -> ranks.put(token, ranks.size()));
        return ranks;
    }

    private Tokenizer read(Map<String, Integer> ranks) throws IOException {
        List<String> lines = new ArrayList<>();
        ranks.forEach((token, rank) -> lines.add(
                Base64.getEncoder().encodeToString(token.getBytes(StandardCharsets.ISO_8859_1)) + " " + rank));
        Path file = folder.resolve("ranks.tiktoken");
        Files.write(file, lines);
        return Tokenizer.readTiktoken(file, SplitPattern.GPT2, List.of());
    }

    private static int[] plain(Map<String, Integer> ranks, String word) {
        if (ranks.containsKey(word)) {
            return new int[] {ranks.get(word)};
        }
        List<String> parts = new ArrayList<>(List.of(word.split("")));
        while (true) {
            int best = -1;
            int bestRank = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < parts.size(); i++) {
                int rank = ranks.getOrDefault(parts.get(i) + parts.get(i + 1), Integer.MAX_VALUE);
                if (rank < bestRank) {
                    best = i;
                    bestRank = rank;
                }
            }
            if (best < 0) {
                return parts.stream().mapToInt(ranks::get).toArray();
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
    }

    @Test
    void encodesByTheRule() throws IOException {
        for (int n = 0; n < 60; n++) {
            String alphabet = ALPHABETS.get(n % ALPHABETS.size());
            Map<String, Integer> ranks = vocabulary(alphabet);
            Tokenizer tokenizer = read(ranks);
            Encoder encoder = tokenizer.encoder();
            TokenBuffer ids = new TokenBuffer();
            for (int i = 0; i < 300; i++) {
                int characters = i < 5 ? 60 + random.nextInt(90) : 1 + random.nextInt(24);
                String word = word(alphabet, characters);
                byte[] utf8 = word.getBytes(StandardCharsets.UTF_8);
                ids.clear();
                encoder.encode(utf8, 0, utf8.length, ids);
                assertThat(ids.toArray()).as(word).isEqualTo(plain(ranks, bytes(word)));
            }
            for (String token : ranks.keySet()) {
                byte[] raw = token.getBytes(StandardCharsets.ISO_8859_1);
                if (new String(raw, StandardCharsets.UTF_8).codePoints().allMatch(Character::isLetter)) {
                    ids.clear();
                    encoder.encode(raw, 0, raw.length, ids);
                    assertThat(ids.toArray()).as(token).containsExactly(ranks.get(token));
                }
            }
        }
    }

    @Test
    void aPieceIsNotAWord() throws IOException {
        Map<String, Integer> ranks = new HashMap<>();
        for (int b = 0; b < 256; b++) {
            ranks.put(String.valueOf((char) b), b);
        }
        ranks.put("xyz", 256);
        ranks.put("abcdefghijklmnopqrst", 257);
        ranks.put("xx", 258);
        Tokenizer tokenizer = read(ranks);

        assertThat(tokenizer.encode("xyz")).containsExactly(256);
        assertThat(tokenizer.encode("xyz\u4E2Dxyz")).containsExactly(plain(ranks, bytes("xyz\u4E2Dxyz")));
        assertThat(tokenizer.encode("abcdefghijklmnopqrst")).containsExactly(257);
        assertThat(tokenizer.encode("xxyzabcdefghijklmnopqrst"))
                .containsExactly(plain(ranks, "xxyzabcdefghijklmnopqrst"));
    }
}
