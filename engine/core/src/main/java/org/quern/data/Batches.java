package org.quern.data;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.LongStream;
import org.quern.base.QuernException;

/// Cuts a split into samples of `sequenceLength` tokens, in a [SampleOrder], and fills int32 buffers with them.
///
/// Sample `i` is the window `[iT, iT + T]` of the split's tokens, all documents behind one another (as in Megatron and
/// llm.c): it reads T + 1 tokens, so that every token but the split's first is a target once an epoch; what is left
/// over at the end is dropped. Every target counts, also an end-of-text token (the end of a document is to be learned)
/// and the token after one (so are beginnings).
///
/// With a document mask, a token sees only its own document: it begins at its end-of-text token, and positions count
/// from there. A document that began before the window begins, for this sample, with the window.
public final class Batches {
    private final TokenShards shards;
    private final SampleOrder order;
    private final int sequenceLength;
    private final boolean documentMask;

    /// @param order over [#samples(TokenShards, int)]
    public Batches(TokenShards shards, SampleOrder order, int sequenceLength, boolean documentMask) {
        long samples = samples(shards, sequenceLength);
        if (order.samples() != samples) {
            throw new IllegalArgumentException(
                    "the order must be over " + samples + " samples: got " + order.samples());
        }
        this.shards = shards;
        this.order = order;
        this.sequenceLength = sequenceLength;
        this.documentMask = documentMask;
    }

    /// Samples of an epoch; at least one, or the data is too short.
    public static long samples(TokenShards shards, int sequenceLength) {
        long samples = (shards.tokens() - 1) / sequenceLength;
        if (samples < 1) {
            throw QuernException.data("%s: expected at least %d tokens for one sample of sequence_length %d, found %d"
                    .formatted(shards.name(), sequenceLength + 1L, sequenceLength, shards.tokens()));
        }
        return samples;
    }

    /// Fills row `r` of each buffer with sample `first + r` of the run, for `count` rows. Buffers are int32
    /// `[count, sequenceLength]`. Allocates nothing and may be called by several threads.
    ///
    /// @param targets the token after each of `tokens`
    /// @param positions of each token in its document
    /// @param documentStart for each token, where in its row its document begins
    public void fill(
            long first,
            int count,
            MemorySegment tokens,
            MemorySegment targets,
            MemorySegment positions,
            MemorySegment documentStart) {
        long rowBytes = (long) sequenceLength * Integer.BYTES;
        for (int row = 0; row < count; row++) {
            long window = order.place(first + row) * sequenceLength;
            long offset = row * rowBytes;
            shards.copy(window, sequenceLength, tokens, offset);
            shards.copy(window + 1, sequenceLength, targets, offset);
            int start = 0;
            for (int t = 0; t < sequenceLength; t++) {
                long at = offset + (long) t * Integer.BYTES;
                if (documentMask
                        && tokens.get(TokenShard.INT, at) == shards.kind().endOfText()) {
                    start = t;
                }
                documentStart.set(TokenShard.INT, at, start);
                positions.set(TokenShard.INT, at, t - start);
            }
        }
    }

    /// For people: the documents in samples `[first, first + count)` of the run.
    public List<String> documents(long first, long count) {
        LongStream windows = LongStream.range(first, first + count).map(sample -> order.place(sample) * sequenceLength);
        return shards.documents(windows, sequenceLength + 1L);
    }
}
