package org.quern.tokenizer;

/// What all encoders of a tokenizer look things up in.
record EncodingTables(MergeTable merges, Seams seams, WholeWords wholes) {
    static EncodingTables of(Tokenizer tokenizer) {
        Vocabulary vocabulary = tokenizer.vocabulary();
        MergeTable merges = new MergeTable(vocabulary, tokenizer.merges(), tokenizer.byteIds());
        return new EncodingTables(merges, new Seams(merges, vocabulary), new WholeWords(tokenizer, merges));
    }
}
