package org.quern.data;

/// A document of a corpus.
///
/// @param name where it is and what it is called, as `austen.jsonl.gz:17 Emma, Volume I, Chapter III`; one line
/// @param text valid UTF-8, not empty
public record Document(String name, byte[] text) {}
