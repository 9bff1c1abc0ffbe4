/// Byte-level BPE: [Tokenizer] encodes and decodes, [BpeTrainer] learns a vocabulary.
///
/// Text is UTF-8 in byte arrays. Ids and merges are those of Hugging Face tokenizers (ids of a rank file:
/// tiktoken's) for all valid text. Where those take only valid text, a byte that does not belong to a UTF-8
/// sequence counts here as one sign, so it comes back as it was; a Java string has U+FFFD in its place before
/// it gets here (one for the three bytes of a surrogate, where Python and Rust have three).
///
/// Written as `tokenizer.json`, a tiktoken vocabulary keeps its merges in the order of their results. That Hugging Face
/// ranks two ways to make one token apart, and tiktoken does not, makes no difference: only one of them can come about
/// ([ReachableMerges]).
package org.quern.tokenizer;
