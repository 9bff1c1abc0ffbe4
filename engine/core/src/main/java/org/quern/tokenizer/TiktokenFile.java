package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import org.quern.base.QuernException;

/// tiktoken's rank files: a line is a token in base64, a space and its rank, which is its id and its urgency at once.
/// Any two adjacent tokens merge whose bytes together are a token.
final class TiktokenFile {
    private TiktokenFile() {}

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
