package org.quern.generate;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.quern.base.ExitCode;
import org.quern.base.Philox;
import org.quern.base.QuernException;

/// Draws the next token. What is left to draw from is decided in transformers' order: temperature, top-k,
/// top-p, min-p. The draw is a pure function of (logits, seed, sequence, position). For one thread.
public final class Sampler {
    /// The random stream of sampled tokens.
    private static final int STREAM = 2;

    /// How tokens are drawn.
    ///
    /// @param temperature divides the logits; 0: the likeliest token, always
    /// @param topK draws from that many of the likeliest tokens, and those as likely as the last of them; 0:
    ///     all
    /// @param topP draws from the fewest likeliest tokens that together have this probability; 1: all
    /// @param minP draws from tokens that have at least this share of the likeliest token's probability; 0: all
    /// @param seed makes the draws
    public record Settings(double temperature, int topK, double topP, double minP, long seed) {
        /// @throws QuernException if a value is out of its range
        public Settings {
            require(
                    temperature >= 0 && temperature < Double.POSITIVE_INFINITY,
                    "temperature must be at least 0",
                    temperature);
            require(topK >= 0, "top_k must be at least 0", topK);
            require(topP > 0 && topP <= 1, "top_p must be above 0 and at most 1", topP);
            require(minP >= 0 && minP <= 1, "min_p must be from 0 to 1", minP);
        }

        private static void require(boolean holds, String rule, Number value) {
            if (!holds) {
                throw new QuernException(ExitCode.USAGE, "%s: got %s".formatted(rule, value));
            }
        }
    }

    private final Settings settings;
    // The candidates: the first `count` of each.
    private final int[] ids;
    private final double[] weights;
    private int count;
    // Tokens that are not candidates yet, as a heap with the likeliest on top.
    private final long[] heap;
    private int heapSize;

    public Sampler(Settings settings, int vocabSize) {
        this.settings = settings;
        ids = new int[vocabSize];
        weights = new double[vocabSize];
        heap = new long[vocabSize];
    }

    /// Draws a token.
    ///
    /// @param logits fp32 [vocabSize]
    /// @param sequence which of the sequences that are generated with the same seed
    /// @param position the number of tokens before it
    public int sample(MemorySegment logits, int sequence, int position) {
        int likeliest = likeliest(logits, ids.length);
        float max = logit(logits, likeliest);
        if (!Float.isFinite(max)) {
            throw QuernException.data(
                    "the model's output for token %d is not finite: its weights are damaged".formatted(position));
        }
        if (settings.temperature == 0) {
            return likeliest;
        }
        choose(logits, max);
        double point = total() * Philox.uniform(settings.seed, STREAM, position, sequence);
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[i];
            if (point < sum) {
                return ids[i];
            }
        }
        return ids[count - 1];
    }

    /// The first of the highest logits, or one that is no number.
    private static int likeliest(MemorySegment logits, int vocabSize) {
        int best = 0;
        for (int id = 0; id < vocabSize; id++) {
            float logit = logit(logits, id);
            if (Float.isNaN(logit)) {
                return id;
            }
            best = logit > logit(logits, best) ? id : best;
        }
        return best;
    }

    /// Collects the candidates; `max` is the highest logit. Weights are probabilities relative to the likeliest
    /// token's.
    void choose(MemorySegment logits, float max) {
        count = 0;
        int vocabSize = ids.length;
        boolean limited = settings.topK > 0 && settings.topK < vocabSize;
        if (!limited && settings.topP == 1) {
            for (int id = 0; id < vocabSize; id++) {
                double weight = weight(logit(logits, id), max);
                if (weight > 0 && weight >= settings.minP) {
                    add(id, weight);
                }
            }
            return;
        }
        fillHeap(logits);
        double total = 0;
        if (limited) {
            while (count < settings.topK || heapSize > 0 && score(heap[0]) == logit(logits, ids[count - 1])) {
                long likeliest = pop();
                add((int) likeliest, weight(score(likeliest), max));
                total += weights[count - 1];
            }
        } else {
            for (int id = 0; id < vocabSize; id++) {
                total += weight(logit(logits, id), max);
            }
        }
        int kept = 0;
        double mass = 0;
        while (kept == 0 || settings.topP == 1 || mass < settings.topP * total) {
            if (kept == count) {
                if (limited || heapSize == 0) {
                    break;
                }
                long likeliest = pop();
                add((int) likeliest, weight(score(likeliest), max));
            }
            mass += weights[kept];
            kept++;
        }
        while (kept > 1 && weights[kept - 1] < settings.minP) {
            kept--;
        }
        count = kept;
    }

    private double weight(float logit, float max) {
        return Math.exp(((double) logit - max) / settings.temperature);
    }

    private void add(int id, double weight) {
        ids[count] = id;
        weights[count] = weight;
        count++;
    }

    private static float logit(MemorySegment logits, int id) {
        return logits.get(ValueLayout.JAVA_FLOAT_UNALIGNED, (long) Float.BYTES * id);
    }

    /// A token as a number that is the lower the likelier it is; of equals, the first id comes first.
    private static long key(float logit, int id) {
        int bits = Float.floatToIntBits(logit + 0f);
        return (long) ~(bits ^ bits >> 31 & Integer.MAX_VALUE) << 32 | id;
    }

    private static float score(long key) {
        int bits = ~(int) (key >> 32);
        return Float.intBitsToFloat(bits ^ bits >> 31 & Integer.MAX_VALUE);
    }

    private void fillHeap(MemorySegment logits) {
        heapSize = heap.length;
        for (int id = 0; id < heapSize; id++) {
            heap[id] = key(logit(logits, id), id);
        }
        for (int i = heapSize / 2 - 1; i >= 0; i--) {
            sink(i);
        }
    }

    private long pop() {
        long first = heap[0];
        heap[0] = heap[--heapSize];
        sink(0);
        return first;
    }

    private void sink(int parent) {
        long key = heap[parent];
        for (int child = 2 * parent + 1; child < heapSize; child = 2 * parent + 1) {
            if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= key) {
                break;
            }
            heap[parent] = heap[child];
            parent = child;
        }
        heap[parent] = key;
    }

    private double total() {
        double total = 0;
        for (int i = 0; i < count; i++) {
            total += weights[i];
        }
        return total;
    }

    /// The probability of each token, as `choose` left it.
    double[] probabilities() {
        double[] probabilities = new double[ids.length];
        double total = total();
        for (int i = 0; i < count; i++) {
            probabilities[ids[i]] = weights[i] / total;
        }
        return probabilities;
    }
}
