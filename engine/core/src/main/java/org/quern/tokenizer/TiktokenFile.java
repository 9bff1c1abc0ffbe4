package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import org.quern.base.QuernException;

/// tiktoken's rank files: a line is a token in base64, a space and its rank, which is its id and its urgency at
/// once. Any two adjacent tokens merge whose bytes together are a token.
final class TiktokenFile {
    private TiktokenFile() {}

    /// Reads one of the published files, which its name tells.
    static Tokenizer read(Path file) {
        String name = file.getFileName().toString();
        if (name.contains("o200k")) {
            return read(file, SplitPattern.O200K, specials("<|endoftext|>", 199_999, "<|endofprompt|>", 200_018));
        }
        if (name.contains("cl100k")) {
            return read(
                    file,
                    SplitPattern.CL100K,
                    specials(
                            "<|endoftext|>",
                            100_257,
                            "<|fim_prefix|>",
                            100_258,
                            "<|fim_middle|>",
                            100_259,
                            "<|fim_suffix|>",
                            100_260,
                            "<|endofprompt|>",
                            100_276));
        }
        if (name.contains("50k") || name.contains("gpt2")) {
            return read(file, SplitPattern.GPT2, specials("<|endoftext|>", 50_256));
        }
        throw QuernException.data(
                "%s: a tiktoken file does not say how text is split; its name must hold gpt2, r50k, p50k, cl100k or o200k"
                        .formatted(file));
    }

    private static List<AddedToken> specials(Object... namesAndIds) {
        List<AddedToken> specials = new ArrayList<>();
        for (int i = 0; i < namesAndIds.length; i += 2) {
            specials.add(AddedToken.special((int) namesAndIds[i + 1], (String) namesAndIds[i]));
        }
        return specials;
    }

    static Tokenizer read(Path file, SplitPattern pattern, List<AddedToken> specials) {
        Vocabulary vocabulary = new Vocabulary(file.toString());
        int number = 0;
        for (Iterator<String> lines = TextFile.read(file).lines().iterator(); lines.hasNext(); ) {
            String line = lines.next();
            number++;
            int space = line.indexOf(' ');
            byte[] token;
            int rank;
            try {
                token = Base64.getDecoder().decode(line.substring(0, Math.max(0, space)));
                rank = Integer.parseInt(line.substring(space + 1));
            } catch (IllegalArgumentException e) {
                throw QuernException.data("%s:%d: expected a token in base64, a space and its rank, found \"%s\""
                        .formatted(file, number, TextFile.shorten(line)));
            }
            vocabulary.add(token, rank);
        }
        return new Tokenizer(pattern, vocabulary, mergesOf(vocabulary), true, specials, new int[0]);
    }

    /// Every way to make a token of two others: by resulting id, then by the two ids.
    private static Merges mergesOf(Vocabulary vocabulary) {
        Merges.Builder merges = new Merges.Builder(vocabulary);
        for (int id = 0; id < vocabulary.size(); id++) {
            byte[] token = vocabulary.token(id);
            if (token == null) {
                continue;
            }
            long[] pairs = new long[token.length];
            int n = 0;
            for (int cut = 1; cut < token.length; cut++) {
                int left = vocabulary.find(token, 0, cut);
                int right = left < 0 ? -1 : vocabulary.find(token, cut, token.length);
                if (right >= 0) {
                    pairs[n++] = PairTable.pair(left, right);
                }
            }
            Arrays.sort(pairs, 0, n);
            for (int i = 0; i < n; i++) {
                merges.add(PairTable.left(pairs[i]), PairTable.right(pairs[i]), id);
            }
        }
        return merges.build(true);
    }

    static void write(Tokenizer tokenizer, Path file) {
        int[] results = tokenizer.merges().results();
        for (int i = 1; i < results.length; i++) {
            if (results[i] < results[i - 1]) {
                throw QuernException.data(
                        "%s: in a tiktoken file ids are the order of merges, but merge %d makes token %d after token %d"
                                .formatted(file, i, results[i], results[i - 1]));
            }
        }
        Vocabulary vocabulary = tokenizer.vocabulary();
        StringBuilder text = new StringBuilder();
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.token(id) != null && tokenizer.addedToken(id).isEmpty()) {
                text.append(Base64.getEncoder().encodeToString(vocabulary.token(id)))
                        .append(' ')
                        .append(id)
                        .append('\n');
            }
        }
        TextFile.write(file, text.toString().getBytes(StandardCharsets.US_ASCII));
    }
}
