package org.quern.data;

/// The two splits of a corpus.
public record TokenizedCorpus(TokenShards train, TokenShards validation) {}
