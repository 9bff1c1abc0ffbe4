package org.quern.data;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.TreeMap;
import org.quern.base.Philox;

/// Which source each sample of a run is from, when several are mixed by weights, which may change from step to step.
/// Computed and never stored, as in [SampleOrder]: a run resumes anywhere, and no number of workers changes it.
///
/// A binary tree divides the samples: each inner node deals out what it gets to its two sides as evenly as
/// whole samples can be, so that after `m` of them the left one has `round(m p)`, `p` being its share of the
/// weight. So any sample's source takes a walk from the root, and a prefix's samples of a source are counted by
/// a walk to its leaf. Each node is at most half a sample off, and what is off above a node counts by its share
/// only. With constant weights and Huffman's tree, where weights grow along a path to the root like Fibonacci's
/// numbers, every source is at all times less than 1.7 samples away from its exact part, however many there
/// are.
///
/// Where weights change, the tree stays and what was rounded is carried over: nothing adds up. The past does not
/// depend on later phases, so these may still be changed while a run is under way.
public final class Mixture {
    /// Weights of the sources.
    ///
    /// @param after how many steps they begin to hold
    /// @param over how many steps they come, in a straight line from those before; 0: at once
    /// @param weights of each source, relative to one another; 0 for none of it
    public record Phase(long after, long over, List<Double> weights) {
        @Override
        public String toString() {
            return "%s after step %d%s".formatted(weights, after, over == 0 ? "" : " over " + over);
        }
    }

    /// A change in a straight line goes by so many equal levels at most, each with the mean of its steps.
    private static final int LEVELS = 256;

    /// Weights of a node are whole numbers up to about this, so that the product of two is a `long`.
    private static final BigInteger WHOLE = BigInteger.ONE.shiftLeft(30);

    private static final int CARRY_BITS = 32;
    private static final int STREAM = 0x317C5;

    private final int sources;
    private final int globalBatch;

    /// Nodes: the sources, then the inner ones up to the root, each with its two sides.
    private final int[] parent;

    private final int[] left;
    private final int[] right;

    /// Where the weights change: the first sample of each segment.
    private final long[] first;

    /// For each segment and node: its weight, the samples it had before, and what the inner ones have left over from
    /// rounding, in parts of their weight.
    private final long[][] weight;

    private final long[][] before;
    private final long[][] carry;

    /// @param globalBatch samples of a step
    /// @param phases of which the first begins after no steps, each after the change of the one before is over
    public Mixture(int globalBatch, List<Phase> phases) {
        this.globalBatch = globalBatch;
        sources = phases.getFirst().weights().size();
        parent = new int[2 * sources - 1];
        left = new int[2 * sources - 1];
        right = new int[2 * sources - 1];
        TreeMap<Long, long[]> segments = new TreeMap<>();
        BigInteger[] old = integers(phases.getFirst().weights());
        for (Phase phase : phases) {
            BigInteger[] now = integers(phase.weights());
            long levels = Math.min(phase.over(), LEVELS);
            for (long level = 0; level < levels; level++) {
                long from = phase.over() * level / levels;
                long to = phase.over() * (level + 1) / levels;
                segments.put(
                        (phase.after() + from) * globalBatch, scaled(between(old, now, from + to, 2 * phase.over())));
            }
            segments.put((phase.after() + phase.over()) * globalBatch, scaled(now));
            old = now;
        }
        growTree(segments.firstEntry().getValue());
        first = segments.keySet().stream().mapToLong(Long::longValue).toArray();
        weight = segments.values().stream().map(this::summed).toArray(long[][]::new);
        before = new long[first.length][2 * sources - 1];
        carry = new long[first.length][2 * sources - 1];
        followSegments();
    }

    /// All samples from one source.
    static Mixture single() {
        return new Mixture(1, List.of(new Phase(0, 0, List.of(1.0))));
    }

    public int sources() {
        return sources;
    }

    /// The seed of the order of a source's samples, in a mixture of a run with `seed`.
    public static long seedOfSource(long seed, int source) {
        return Philox.bits(seed, STREAM, 0, source);
    }

    /// The source of sample `sample >= 0` of the run.
    public int source(long sample) {
        int segment = segment(sample);
        long at = sample - first[segment];
        int node = root();
        while (node >= sources) {
            long lefts = left(segment, node, at);
            if (left(segment, node, at + 1) > lefts) {
                node = left[node];
                at = lefts;
            } else {
                node = right[node];
                at -= lefts;
            }
        }
        return node;
    }

    /// How many of the run's first `samples` samples are from a source. So sample `i` is number
    /// `count(source(i), i)` of its source.
    public long count(int source, long samples) {
        int segment = segment(samples);
        return before[segment][source] + within(segment, source, samples - first[segment]);
    }

    /// The share of a source in a step, counted from 0.
    public double share(int source, long step) {
        long[] weights = weight[segment(step * globalBatch)];
        return (double) weights[source] / weights[root()];
    }

    private int root() {
        return 2 * sources - 2;
    }

    private int segment(long sample) {
        int found = Arrays.binarySearch(first, sample);
        return found < 0 ? -found - 2 : found;
    }

    /// How many of the first `count` samples of a segment come to a node.
    private long within(int segment, int node, long count) {
        if (node == root()) {
            return count;
        }
        int above = parent[node];
        long all = within(segment, above, count);
        long lefts = left(segment, above, all);
        return node == left[above] ? lefts : all - lefts;
    }

    /// How many of a node's first `count` samples of a segment go left.
    private long left(int segment, int node, long count) {
        long whole = weight[segment][node];
        if (whole == 0) {
            return 0;
        }
        long part = weight[segment][left[node]];
        return count / whole * part + (carry[segment][node] + count % whole * part) / whole;
    }

    /// Huffman's: the two lightest become one, until all are one; of equal ones the oldest.
    private void growTree(long[] weights) {
        long[] sums = Arrays.copyOf(weights, 2 * sources - 1);
        PriorityQueue<Integer> trees = new PriorityQueue<>(
                Comparator.<Integer>comparingLong(node -> sums[node]).thenComparing(Comparator.naturalOrder()));
        for (int source = 0; source < sources; source++) {
            trees.add(source);
        }
        for (int node = sources; node < 2 * sources - 1; node++) {
            right[node] = trees.remove();
            left[node] = trees.remove();
            parent[left[node]] = node;
            parent[right[node]] = node;
            sums[node] = sums[left[node]] + sums[right[node]];
            trees.add(node);
        }
    }

    /// The weights of all nodes.
    private long[] summed(long[] weights) {
        long[] sums = Arrays.copyOf(weights, 2 * sources - 1);
        for (int node = sources; node < sums.length; node++) {
            sums[node] = sums[left[node]] + sums[right[node]];
        }
        return sums;
    }

    /// What nodes have had before each segment, and what of their roundings is left over: at first a half, as
    /// rounding down what is half a sample more is rounding to the nearest.
    private void followSegments() {
        long[] fractions = new long[2 * sources - 1];
        Arrays.fill(fractions, 1L << CARRY_BITS - 1);
        for (int segment = 0; segment < first.length; segment++) {
            for (int node = sources; node < fractions.length; node++) {
                carry[segment][node] = fractions[node] * weight[segment][node] >>> CARRY_BITS;
            }
            if (segment + 1 == first.length) {
                return;
            }
            long length = first[segment + 1] - first[segment];
            for (int node = 0; node < fractions.length; node++) {
                long had = within(segment, node, length);
                before[segment + 1][node] = before[segment][node] + had;
                long whole = weight[segment][node];
                if (node >= sources && whole > 0) {
                    long rest = (carry[segment][node] + had % whole * weight[segment][left[node]]) % whole;
                    fractions[node] = (rest << CARRY_BITS) / whole;
                }
            }
        }
    }

    /// Whole numbers in the proportion of decimal ones.
    private static BigInteger[] integers(List<Double> weights) {
        List<BigDecimal> decimals = weights.stream().map(BigDecimal::valueOf).toList();
        int scale = decimals.stream().mapToInt(BigDecimal::scale).max().orElseThrow();
        return decimals.stream()
                .map(decimal -> decimal.setScale(Math.max(scale, 0)).unscaledValue())
                .toArray(BigInteger[]::new);
    }

    /// In the proportion of what is `at / length` of the way from one mixture to another.
    private static BigInteger[] between(BigInteger[] from, BigInteger[] to, long at, long length) {
        BigInteger fromFactor = sum(to).multiply(BigInteger.valueOf(length - at));
        BigInteger toFactor = sum(from).multiply(BigInteger.valueOf(at));
        BigInteger[] result = new BigInteger[from.length];
        Arrays.setAll(result, i -> from[i].multiply(fromFactor).add(to[i].multiply(toFactor)));
        return result;
    }

    /// The same proportions with a sum of about [#WHOLE]: exactly if the sum was not above it, else rounded.
    private static long[] scaled(BigInteger[] weights) {
        BigInteger sum = sum(weights);
        BigInteger factor = WHOLE.divide(sum);
        BigDecimal whole = new BigDecimal(WHOLE);
        return Arrays.stream(weights)
                .mapToLong(weight -> factor.signum() > 0
                        ? weight.multiply(factor).longValueExact()
                        : new BigDecimal(weight)
                                .multiply(whole)
                                .divide(new BigDecimal(sum), 0, RoundingMode.HALF_EVEN)
                                .longValueExact())
                .toArray();
    }

    private static BigInteger sum(BigInteger[] weights) {
        return Arrays.stream(weights).reduce(BigInteger.ZERO, BigInteger::add);
    }
}
