package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/// Buffers for a test, each between guards that show a write outside it, and runs of kernels over them.
final class Tensors {
    private static final long GUARD = 256;
    private static final byte MARK = 0x5a;

    private final Arena arena = Arena.ofAuto();
    private final SplittableRandom random;
    private final List<MemorySegment> guards = new ArrayList<>();

    Tensors(long seed) {
        random = new SplittableRandom(seed);
    }

    /// Normal deviates.
    MemorySegment random(long count) {
        MemorySegment tensor = empty(count);
        for (long i = 0; i < count; i++) {
            tensor.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * i, (float) random.nextGaussian());
        }
        return tensor;
    }

    MemorySegment of(double... values) {
        MemorySegment tensor = empty(values.length);
        for (int i = 0; i < values.length; i++) {
            tensor.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i, (float) values[i]);
        }
        return tensor;
    }

    MemorySegment ints(int... values) {
        MemorySegment tensor = bytes(4L * values.length);
        MemorySegment.copy(values, 0, tensor, ValueLayout.JAVA_INT_UNALIGNED, 0, values.length);
        return tensor;
    }

    /// Integers from `from` (inclusive) to `to` (exclusive).
    MemorySegment randomInts(int count, int from, int to) {
        return ints(random.ints(count, from, to).toArray());
    }

    /// Not-a-numbers, so that an element that is read before it is written, or never written, shows.
    MemorySegment empty(long count) {
        MemorySegment tensor = bytes(4 * count);
        tensor.fill((byte) 0xff);
        return tensor;
    }

    MemorySegment workspace(long bytes) {
        MemorySegment workspace = bytes(bytes);
        workspace.fill((byte) 0xff);
        return workspace;
    }

    private MemorySegment bytes(long bytes) {
        // One float past a multiple of 64 bytes: nothing may rely on alignment.
        MemorySegment whole = arena.allocate(bytes + 2 * GUARD + 4, 64);
        whole.fill(MARK);
        guards.add(whole.asSlice(0, GUARD + 4));
        guards.add(whole.asSlice(GUARD + 4 + bytes));
        return whole.asSlice(GUARD + 4, bytes);
    }

    /// Runs a kernel with its tasks in order, in reverse, and on several threads, each time from the same
    /// state of the buffers that it changes, and checks that the results have the same bits.
    void run(Kernel kernel, MemorySegment... changed) {
        List<byte[]> before = copies(changed);
        for (int phase = 0; phase < kernel.phases(); phase++) {
            for (int task = 0; task < kernel.tasks(phase); task++) {
                kernel.run(phase, task);
            }
        }
        List<byte[]> after = copies(changed);
        restore(before, changed);
        for (int phase = 0; phase < kernel.phases(); phase++) {
            for (int task = kernel.tasks(phase) - 1; task >= 0; task--) {
                kernel.run(phase, task);
            }
        }
        checkSame(after, changed, "in reverse");
        restore(before, changed);
        for (int phase = 0; phase < kernel.phases(); phase++) {
            int current = phase;
            IntStream.range(0, kernel.tasks(phase)).parallel().forEach(task -> kernel.run(current, task));
        }
        checkSame(after, changed, "on several threads");
        for (MemorySegment guard : guards) {
            for (byte value : guard.toArray(ValueLayout.JAVA_BYTE)) {
                assertThat(value).as("guard around a buffer").isEqualTo(MARK);
            }
        }
    }

    private static List<byte[]> copies(MemorySegment[] segments) {
        List<byte[]> copies = new ArrayList<>();
        for (MemorySegment segment : segments) {
            copies.add(segment.toArray(ValueLayout.JAVA_BYTE));
        }
        return copies;
    }

    private static void restore(List<byte[]> copies, MemorySegment[] segments) {
        for (int i = 0; i < segments.length; i++) {
            segments[i].copyFrom(MemorySegment.ofArray(copies.get(i)));
        }
    }

    private static void checkSame(List<byte[]> expected, MemorySegment[] segments, String how) {
        for (int i = 0; i < segments.length; i++) {
            assertThat(segments[i].mismatch(MemorySegment.ofArray(expected.get(i))))
                    .as("first byte of output %d that differs when tasks run %s", i, how)
                    .isEqualTo(-1);
        }
    }

    static double[] doubles(MemorySegment tensor) {
        float[] floats = tensor.toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        double[] doubles = new double[floats.length];
        for (int i = 0; i < floats.length; i++) {
            doubles[i] = floats[i];
        }
        return doubles;
    }

    static int[] ints(MemorySegment tensor) {
        return tensor.toArray(ValueLayout.JAVA_INT_UNALIGNED);
    }

    /// Checks each element within `tolerance` times its size and the root mean square of all.
    static void assertClose(MemorySegment actual, double[] expected, double tolerance) {
        double[] values = doubles(actual);
        assertThat(values).hasSameSizeAs(expected);
        double typical = norm(expected) / Math.sqrt(expected.length);
        for (int i = 0; i < values.length; i++) {
            double bound = tolerance * (typical + Math.abs(expected[i]));
            assertThat(Math.abs(values[i] - expected[i]) <= bound)
                    .as(
                            "element %d of %d: got %s, expected %s within %s",
                            i, values.length, values[i], expected[i], bound)
                    .isTrue();
        }
    }

    /// Checks the gradient by x of sum(weights * function(x)) against central differences, element by element
    /// (at most 150, chosen at random) and along a random direction.
    ///
    /// @param base what the gradient was added to
    void assertGradient(
            MemorySegment actual,
            double[] base,
            UnaryOperator<double[]> function,
            double[] x,
            double[] weights,
            double tolerance) {
        double[] gradient = doubles(actual);
        for (int i = 0; i < gradient.length; i++) {
            gradient[i] -= base[i];
        }
        double typical = norm(gradient) / Math.sqrt(gradient.length);
        int[] sample = gradient.length <= 150
                ? IntStream.range(0, gradient.length).toArray()
                : random.ints(150, 0, gradient.length).toArray();
        for (int i : sample) {
            double[] direction = new double[x.length];
            direction[i] = 1;
            double expected = derivative(function, x, weights, direction);
            double bound = tolerance * (typical + Math.abs(expected) + Math.abs(base[i]));
            assertThat(Math.abs(gradient[i] - expected) <= bound)
                    .as("gradient by element %d: got %s, expected %s within %s", i, gradient[i], expected, bound)
                    .isTrue();
        }
        double[] direction = random.doubles(x.length, -1, 1).toArray();
        double expected = derivative(function, x, weights, direction);
        double along = 0;
        for (int i = 0; i < gradient.length; i++) {
            along += gradient[i] * direction[i];
        }
        assertThat(Math.abs(along - expected))
                .as("derivative along a direction: got %s, expected %s", along, expected)
                .isLessThanOrEqualTo(tolerance * (Math.abs(expected) + norm(gradient) + norm(base)));
    }

    private static double derivative(
            UnaryOperator<double[]> function, double[] x, double[] weights, double[] direction) {
        double step = 1e-4;
        double[] above = x.clone();
        double[] below = x.clone();
        for (int i = 0; i < x.length; i++) {
            above[i] += step * direction[i];
            below[i] -= step * direction[i];
        }
        double[] high = function.apply(above);
        double[] low = function.apply(below);
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            sum += weights[i] * (high[i] - low[i]);
        }
        return sum / (2 * step);
    }

    private static double norm(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value * value;
        }
        return Math.sqrt(sum);
    }
}
