package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import org.quern.base.QuernException;

/// GPT-2's first format: `encoder.json` (or `vocab.json`) maps tokens in the [ByteAlphabet] to ids, `vocab.bpe` (or
/// `merges.txt`) holds a merge a line.
final class Gpt2Files {
    private static final String END_OF_TEXT = "<|endoftext|>";

    private Gpt2Files() {}

    static Tokenizer read(Path vocabularyFile, Path mergesFile) {
        JsonPart root = JsonPart.read(vocabularyFile);
        Vocabulary vocabulary = TokenizerJson.vocabulary(root, List.of());
        Merges.Builder merges = new Merges.Builder(vocabulary);
        int number = 0;
        for (Iterator<String> lines = TextFile.read(mergesFile).lines().iterator(); lines.hasNext(); ) {
            String line = lines.next();
            number++;
            if (line.isEmpty() || number == 1 && line.startsWith("#version")) {
                continue;
            }
            String[] parts = line.split(" ", -1);
            if (parts.length != 2) {
                throw QuernException.data("%s:%d: expected two tokens with a space between them, found \"%s\""
                        .formatted(mergesFile, number, TextFile.shorten(line)));
            }
            merges.add(parts[0], parts[1]);
        }
        int end = vocabulary.find(END_OF_TEXT.getBytes(StandardCharsets.UTF_8));
        return new Tokenizer(
                SplitPattern.GPT2,
                vocabulary,
                merges.build(false),
                false,
                end < 0 ? List.of() : List.of(AddedToken.special(end, END_OF_TEXT)),
                new int[0]);
    }
}
