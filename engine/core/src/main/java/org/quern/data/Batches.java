package org.quern.data;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import org.quern.base.QuernException;

/// Cuts splits into samples of `sequenceLength` tokens, and fills int32 buffers with them: those of each split in a
/// [SampleOrder], and those of several splits in turn as a [Mixture] says.
///
/// Place `i` of a split is the window `[iT, iT + T]` of the split's tokens, all documents behind one another
/// (as in Megatron and llm.c): it reads T + 1 tokens, so that every token but the split's first is a target
/// once an epoch; what is left over at the end is dropped. Every target counts, also an end-of-text token (the
/// end of a document is to be learned) and the token after one (so are beginnings).
///
/// With a document mask, a token sees only its own document: it begins at its end-of-text token, and positions count
/// from there. A document that began before the window begins, for this sample, with the window.
public final class Batches {
    /// A split and the order of its samples.
    ///
    /// @param order over [#samples(TokenShards, int)]
    public record Source(TokenShards shards, SampleOrder order) {}

    private final Source[] sources;
    private final Mixture mixture;
    private final int sequenceLength;
    private final boolean documentMask;

    /// @param mixture of these sources
    public Batches(List<Source> sources, Mixture mixture, int sequenceLength, boolean documentMask) {
        if (mixture.sources() != sources.size()) {
            throw new IllegalArgumentException(
                    "the mixture must be of " + sources.size() + " sources: got " + mixture.sources());
        }
        for (Source source : sources) {
            long samples = samples(source.shards, sequenceLength);
            if (source.order.samples() != samples) {
                throw new IllegalArgumentException(
                        "the order must be over " + samples + " samples: got " + source.order.samples());
            }
        }
        this.sources = sources.toArray(Source[]::new);
        this.mixture = mixture;
        this.sequenceLength = sequenceLength;
        this.documentMask = documentMask;
    }

    /// Of one source.
    ///
    /// @param order over [#samples(TokenShards, int)]
    public Batches(TokenShards shards, SampleOrder order, int sequenceLength, boolean documentMask) {
        this(List.of(new Source(shards, order)), Mixture.single(), sequenceLength, documentMask);
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
            int from = mixture.source(first + row);
            TokenShards shards = sources[from].shards;
            long window = window(from, first + row);
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

    /// Where a sample begins in its source.
    private long window(int source, long sample) {
        return sources[source].order.place(mixture.count(source, sample)) * sequenceLength;
    }

    /// For people: the documents in samples `[first, first + count)` of the run, each once, source by source.
    public List<String> documents(long first, long count) {
        Set<String> documents = new LinkedHashSet<>();
        for (int source = 0; source < sources.length; source++) {
            int from = source;
            LongStream windows = LongStream.range(first, first + count)
                    .filter(sample -> mixture.source(sample) == from)
                    .map(sample -> window(from, sample));
            documents.addAll(sources[from].shards.documents(windows, sequenceLength + 1L));
        }
        return List.copyOf(documents);
    }
}
