package org.quern.generate;

import java.lang.foreign.MemorySegment;

/// A model with a KV cache that continues a batch of sequences.
public interface Decoder extends AutoCloseable {
    /// How many sequences it continues at once.
    int batch();

    /// The longest context, prompt included.
    int contextLength();

    int vocabSize();

    /// Forgets all sequences and reads one prompt into each of them (the same prompt `batch()` times).
    ///
    /// @param tokens 1 to `contextLength()` ids
    /// @return fp32 [vocabSize] logits of the token after the prompt, valid until the next call
    MemorySegment prefill(int[] tokens);

    /// Appends a token to every sequence.
    ///
    /// @param tokens int[batch]
    /// @return fp32 [batch, vocabSize] logits of the tokens after these, valid until the next call
    MemorySegment decode(int[] tokens);

    @Override
    void close();
}
