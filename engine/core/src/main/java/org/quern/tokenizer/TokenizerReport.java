package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// How well a tokenizer fits texts, by groups of them such as languages or domains, and what its vocabulary is
/// like. Not thread-safe.
public final class TokenizerReport {
    private static final int EXAMPLES = 20;

    /// Texts that show how numbers and white space are cut.
    private static final List<String> PROBES = List.of(
            "7",
            "42",
            "2024",
            "1234567",
            "3.14159",
            "1,000,000",
            "-5",
            "0x1F",
            "a b",
            "a  b",
            "    if x:",
            "\tx",
            "x\n\ny",
            "x \n y",
            "x\r\ny",
            "   ");

    /// @param characters code points
    /// @param tokens that `bytes` became
    public record Group(String name, long bytes, long characters, long tokens) {
        public double bytesPerToken() {
            return bytes / (double) Math.max(1, tokens);
        }
    }

    /// A token, as people can read it; bytes that are not UTF-8 show as U+FFFD.
    public record Entry(int id, int bytes, String text) {}

    /// @param size ids are below this
    /// @param words tokens that are not added tokens
    /// @param unused of these, the ones in no text
    /// @param unusedExamples the first of them
    /// @param unreachable those of whole characters that the encoder does not make of their own text
    /// @param unreachableExamples the first of them
    /// @param longest the longest tokens
    /// @param probes numbers and white space, each cut into its tokens
    public record Result(
            int size,
            int words,
            List<Group> groups,
            int unused,
            List<Entry> unusedExamples,
            int unreachable,
            List<Entry> unreachableExamples,
            List<Entry> longest,
            Map<String, List<String>> probes) {}

    private final Tokenizer tokenizer;
    private final Encoder encoder;
    private final TokenBuffer ids = new TokenBuffer();
    private final long[] uses;
    private final Map<String, Group> groups = new LinkedHashMap<>();

    public TokenizerReport(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        encoder = tokenizer.encoder();
        uses = new long[tokenizer.vocabSize()];
    }

    /// Counts a text, or a part of one, in UTF-8.
    public void add(String group, byte[] utf8) {
        ids.clear();
        encoder.encode(utf8, 0, utf8.length, ids);
        for (int i = 0; i < ids.size(); i++) {
            uses[ids.get(i)]++;
        }
        long characters = 0;
        for (byte b : utf8) {
            characters += (b & 0xC0) == 0x80 ? 0 : 1;
        }
        groups.merge(
                group,
                new Group(group, utf8.length, characters, ids.size()),
                (a, b) -> new Group(group, a.bytes + b.bytes, a.characters + b.characters, a.tokens + b.tokens));
    }

    /// What was found so far.
    public Result result() {
        int[] words = IntStream.range(0, tokenizer.vocabSize())
                .filter(id ->
                        tokenizer.tokenBytes(id) > 0 && tokenizer.addedToken(id).isEmpty())
                .toArray();
        int[] unused = Arrays.stream(words).filter(id -> uses[id] == 0).toArray();
        int[] unreachable = Arrays.stream(words).filter(id -> !isReachable(id)).toArray();
        List<Entry> longest = Arrays.stream(words)
                .mapToObj(this::entry)
                .sorted(Comparator.comparingInt(Entry::bytes).reversed().thenComparing(Entry::id))
                .limit(EXAMPLES)
                .toList();
        return new Result(
                tokenizer.vocabSize(),
                words.length,
                List.copyOf(groups.values()),
                unused.length,
                examples(unused),
                unreachable.length,
                examples(unreachable),
                longest,
                probes());
    }

    private boolean isReachable(int id) {
        byte[] token = tokenizer.token(id);
        if (!Arrays.equals(new String(token, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8), token)) {
            // A part of a character depends on its other parts.
            return true;
        }
        ids.clear();
        encoder.encode(token, 0, token.length, ids);
        return ids.size() == 1 && ids.get(0) == id;
    }

    private Entry entry(int id) {
        return new Entry(id, tokenizer.tokenBytes(id), new String(tokenizer.token(id), StandardCharsets.UTF_8));
    }

    private List<Entry> examples(int[] ids) {
        return Arrays.stream(ids).limit(EXAMPLES).mapToObj(this::entry).toList();
    }

    private Map<String, List<String>> probes() {
        Map<String, List<String>> cut = new LinkedHashMap<>();
        for (String probe : PROBES) {
            List<String> tokens = new ArrayList<>();
            for (int id : tokenizer.encode(probe)) {
                tokens.add(tokenizer.decode(id));
            }
            cut.put(probe, tokens);
        }
        return cut;
    }
}
