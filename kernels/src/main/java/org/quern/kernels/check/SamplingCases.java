package org.quern.kernels.check;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.Sampling;
import org.quern.kernels.cuda.Sampling.Settings;
import org.quern.ptx.KernelVariant;

/// The likeliest token, and tokens drawn with and without limits.
public final class SamplingCases {
    private static final long SEED = 0xFEDCBA9876543210L;
    /// Tokens are about equally likely, so that one too many or too few moves the draws.
    private static final double HOT = 8;
    /// Makes a token's weight 2 to the power of its logit.
    private static final double LOG2_E = 1.4426950408889634;

    private static final int POSITION = 12;
    private static final int FIRST_SEQUENCE = 3;

    private SamplingCases() {}

    public static List<KernelVariant> variants() {
        return Sampling.variants();
    }

    public static Stream<KernelCase> cases() {
        Stream<KernelCase> few = Stream.of(
                likeliest(1, 1, 1),
                likeliest(40, 127, 127),
                likeliest(40, 125, 128),
                likeliest(3, 2100, 2101),
                likeliest(3, 1000, 1024),
                likeliest(1, 50257, 50257),
                notFinite(40),
                notFinite(41),
                sample(1, 1, 1, 1, 0, 1, 0),
                sample(4, 1000, 1000, 0.7, 0, 1, 0),
                sample(3, 1000, 1000, 1, 3, 0.95, 0.2),
                sample(2, 9001, 9008, 1, 0, 0.001, 0),
                sample(1, 9001, 9001, 1, 1, 1, 0),
                sample(2, 9001, 9008, HOT, 1000, 0.6, 0),
                sample(8, 129, 136, HOT, 0, 1e-15, 0),
                // Of one warp's vectors, and of one whose ids take it several rounds.
                tied(32, 31, 33, 0, 0.6),
                tied(32, 250, 256, 0, 0.6),
                tiedWithin(32, 2000, 2001, 64, 60, 0.6),
                tiedWithin(16, 8300, 8304, 512, 500, 0.6),
                peaks(64, 2000, 2001, 33),
                peaks(24, 8300, 8304, 345));
        // Row by row from aligned addresses, and from any; ids of several rounds of a warp.
        Stream<KernelCase> limits = Stream.of(0, 1)
                .flatMap(rest -> Stream.of(
                        sample(8, 129, 136 + rest, HOT, 0, 1, 0),
                        sample(8, 1000, 1000 + rest, HOT, 50, 1, 0),
                        sample(8, 1001, 1008 + rest, HOT, 0, 0.6, 0),
                        sample(8, 127, 128 + rest, HOT, 100, 0.5, 0),
                        sample(8, 2100, 2104 + rest, 2, 0, 1, 0.1),
                        sample(3, 8150, 8152 + rest, HOT, 0, 1, 0),
                        sample(3, 8150, 8152 + rest, HOT, 3000, 1, 0),
                        tied(8, 1000, 1000 + rest, 0, 0.6),
                        tied(8, 1000, 1000 + rest, 600, 0.4),
                        tied(3, 9001, 9008 + rest, 0, 0.3),
                        shrinking(16, 127, 128 + rest, 100, 1),
                        shrinking(16, 127, 128 + rest, 0, 0.8),
                        close(32, 127, 128 + rest, 5, 60, 1),
                        close(32, 127, 128 + rest, 5, 0, 0.5),
                        close(64, 7, 8 + rest, 16, 2, 1),
                        steep(16, 1020, 1024 + rest, 0, 1),
                        steep(16, 1020, 1024 + rest, 0, 0.8),
                        steep(16, 1020, 1024 + rest, 118, 0.8),
                        finest(8, 1232 + rest)));
        return Stream.concat(few, limits);
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.of(
                likeliest(2, 1 << 18, 1 << 18),
                sample(64, 1000, 1000, 1, 0, 0.8, 0),
                sample(64, 500, 500, 1, 40, 1, 0.05),
                sample(2, 1 << 18, 1 << 18, 1, 0, 0.9, 0),
                sample(2, 50257, 50304, 0.8, 50, 0.9, 0.01));
    }

    private static KernelCase likeliest(int rows, int vocabulary, int stride) {
        return new KernelCase("argmax %dx%d in rows of %d".formatted(rows, vocabulary, stride), device -> {
            float[] logits = device.normalBf16(rows * stride, 3);
            DeviceMemory tokens = device.outputF32(rows);
            device.run(Sampling.likeliest(device.library(), device.bf16(logits), tokens, rows, vocabulary, stride));
            int[] expected = new int[rows];
            for (int row = 0; row < rows; row++) {
                for (int id = 1; id < vocabulary; id++) {
                    if (logits[row * stride + id] > logits[row * stride + expected[row]]) {
                        expected[row] = id;
                    }
                }
            }
            device.compareExactly("tokens", device.readI32(tokens), expected);
        });
    }

    /// NaN of either sign, infinity, nothing but minus infinity; and minus infinity beside a number.
    private static KernelCase notFinite(int width) {
        return new KernelCase("argmax of what is no number, in rows of " + width, device -> {
            float[] logits = device.normalBf16(5 * width, 3);
            logits[7] = Float.NaN;
            logits[width + 9] = Float.intBitsToFloat(0xFFC00000);
            logits[2 * width + 33] = Float.POSITIVE_INFINITY;
            Arrays.fill(logits, 3 * width, 5 * width, Float.NEGATIVE_INFINITY);
            logits[5 * width - 1] = Bf16.round(-1e30f);
            DeviceMemory memory = device.bf16(logits);
            DeviceMemory tokens = device.outputF32(5);
            device.run(Sampling.likeliest(device.library(), memory, tokens, 5, width, width));
            device.compareExactly("tokens", device.readI32(tokens), new int[] {-1, -1, -1, -1, width - 1});
            DeviceMemory drawn = device.outputF32(5);
            device.run(Sampling.sample(
                    device.library(),
                    new Settings(1, 0, 0.9, 0, SEED),
                    memory,
                    device.i32(new int[] {0}),
                    0,
                    drawn,
                    5,
                    width,
                    width));
            device.compareExactly("drawn", device.readI32(drawn), new int[] {-1, -1, -1, -1, width - 1});
        });
    }

    /// The highest logit at another place in each row, in every other eight rows again at the last. All others are
    /// so low that min-p leaves none of them.
    private static KernelCase peaks(int rows, int vocabulary, int stride, int step) {
        Settings settings = new Settings(1, 0, 1, 0.1, SEED);
        return new KernelCase("peaks in %dx%d in rows of %d".formatted(rows, vocabulary, stride), device -> {
            float[] logits = device.integers(rows * stride, 2);
            int[] expected = new int[rows];
            for (int row = 0; row < rows; row++) {
                expected[row] = row * step % vocabulary;
                logits[row * stride + expected[row]] = 5;
                if (row / 8 % 2 == 0) {
                    logits[row * stride + vocabulary - 1] = 5;
                }
            }
            DeviceMemory tokens = device.outputF32(rows);
            device.run(Sampling.likeliest(device.library(), device.bf16(logits), tokens, rows, vocabulary, stride));
            device.compareExactly("tokens", device.readI32(tokens), expected);
            drawAndCompare(device, settings, logits, rows, vocabulary, stride);
        });
    }

    private static KernelCase sample(
            int rows, int vocabulary, int stride, double temperature, int topK, double topP, double minP) {
        Settings settings = new Settings(temperature, topK, topP, minP, SEED);
        return drawn("sampling", settings, rows, vocabulary, stride, device -> device.normalBf16(rows * stride, 2));
    }

    /// Few different logits, so that top-p keeps some of those that are equal.
    private static KernelCase tied(int rows, int vocabulary, int stride, int topK, double topP) {
        Settings settings = new Settings(HOT, topK, topP, 0, SEED);
        return drawn("few logits", settings, rows, vocabulary, stride, device -> device.integers(rows * stride, 2));
    }

    /// The same, in each row `possible` ids from another multiple of `segment` on; all others are impossible. So
    /// top-p divides equal ones among the ids of one warp, which the draw goes through.
    private static KernelCase tiedWithin(int rows, int vocabulary, int stride, int segment, int possible, double topP) {
        Settings settings = new Settings(HOT, 0, topP, 0, SEED);
        String what = "few logits within %d ids".formatted(possible);
        return drawn(what, settings, rows, vocabulary, stride, device -> {
            float[] logits = device.integers(rows * stride, 2);
            for (int row = 0; row < rows; row++) {
                int from = row * stride + row * segment % (vocabulary - possible);
                Arrays.fill(logits, row * stride, from, Float.NEGATIVE_INFINITY);
                Arrays.fill(logits, from + possible, (row + 1) * stride, Float.NEGATIVE_INFINITY);
            }
            return logits;
        });
    }

    /// Each row a quarter of the one before: the least that stays is in another bin of the upper bits in each.
    private static KernelCase shrinking(int rows, int vocabulary, int stride, int topK, double topP) {
        Settings settings = new Settings(HOT, topK, topP, 0, SEED);
        return drawn("ever smaller logits", settings, rows, vocabulary, stride, device -> {
            float[] logits = device.normalBf16(rows * stride, 2);
            for (int i = 0; i < logits.length; i++) {
                logits[i] = Math.scalb(logits[i], -2 * (i / stride));
            }
            return logits;
        });
    }

    /// `levels` neighbouring bf16 numbers, other ones in each row: all have the same upper bits, and the least
    /// that stays is in another bin of the lower ones.
    private static KernelCase close(int rows, int vocabulary, int stride, int levels, int topK, double topP) {
        Settings settings = new Settings(HOT, topK, topP, 0, SEED);
        String what = "logits of %d levels".formatted(levels);
        return drawn(what, settings, rows, vocabulary, stride, device -> {
            int[] level = device.indices(rows * stride, levels);
            float[] logits = new float[rows * stride];
            for (int i = 0; i < logits.length; i++) {
                logits[i] = 1 + (i / stride + level[i]) * 0x1p-7f;
            }
            return logits;
        });
    }

    /// One token that is likelier than each other by 2^8 and more, while all others together are about as likely:
    /// sums are made of the lower words of weights.
    ///
    /// @param exponent multiplies logits and temperature by a power of two; a large one moves keys to the
    ///     histogram's ends
    private static KernelCase steep(int rows, int vocabulary, int stride, int exponent, double topP) {
        Settings settings = new Settings(Math.scalb(LOG2_E, exponent), 0, topP, 0, SEED);
        String what = "one likely token, logits times 2^%d,".formatted(exponent);
        return drawn(what, settings, rows, vocabulary, stride, device -> {
            float[] logits = device.normalBf16(rows * stride, 3);
            for (int i = 0; i < logits.length; i++) {
                logits[i] = Math.scalb(Math.min(logits[i], 4), exponent);
            }
            for (int row = 0; row < rows; row++) {
                logits[row * stride + 7 * row % vocabulary] = Math.scalb(12f, exponent);
            }
            return logits;
        });
    }

    /// Logits of each row, by whatever makes them.
    private static KernelCase drawn(
            String what,
            Settings settings,
            int rows,
            int vocabulary,
            int stride,
            Function<CheckDevice, float[]> logits) {
        String name = "%s %dx%d in rows of %d, temperature %.3g, top-k %d, top-p %s, min-p %s"
                .formatted(
                        what,
                        rows,
                        vocabulary,
                        stride,
                        settings.temperature(),
                        settings.topK(),
                        settings.topP(),
                        settings.minP());
        return new KernelCase(
                name, device -> drawAndCompare(device, settings, logits.apply(device), rows, vocabulary, stride));
    }

    private static void drawAndCompare(
            CheckDevice device, Settings settings, float[] logits, int rows, int vocabulary, int stride) {
        int[] drawn = draw(device, settings, logits, rows, vocabulary, stride);
        float[] distances = new float[rows];
        for (int row = 0; row < rows; row++) {
            float[] one = Arrays.copyOfRange(logits, row * stride, row * stride + vocabulary);
            distances[row] = (float) SamplingReference.distance(one, settings, drawn[row], words(row));
        }
        // The error of weights may move the point past the end of a token's part.
        device.compare("distance of the draw from the token's part", distances, new double[rows], 0, 1e-6);
    }

    /// The point of the draw is among tokens of the least weight there is, 2^-40 of the likeliest's, so that all
    /// its bits count. The others weigh different powers of two: those before them have the bits of the point,
    /// the rest follows.
    private static KernelCase finest(int rows, int stride) {
        Settings settings = new Settings(LOG2_E, 0, 1, 0, SEED);
        int least = 1200;
        long others = (1L << 41) - (1L << 9);
        int vocabulary = least + Long.bitCount(others);
        return new KernelCase("draws among %d least weights, %d rows of %d".formatted(least, rows, stride), device -> {
            float[] logits = new float[rows * stride];
            int[] expected = new int[rows];
            for (int row = 0; row < rows; row++) {
                int[] words = words(row);
                long point = Math.unsignedMultiplyHigh((long) words[1] << 32 | words[0] & 0xFFFFFFFFL, others + least);
                long before = point - least / 2 & others;
                expected[row] = Long.bitCount(before) + (int) (point - before);
                int first = row * stride;
                int end = first + vocabulary;
                Arrays.fill(logits, first, end, -39.5f);
                for (int bit = 9; bit <= 40; bit++) {
                    boolean isBefore = (before >>> bit & 1) == 1;
                    logits[isBefore ? first++ : --end] = bit - 40;
                }
            }
            device.compareExactly("tokens", draw(device, settings, logits, rows, vocabulary, stride), expected);
        });
    }

    private static int[] draw(
            CheckDevice device, Settings settings, float[] logits, int rows, int vocabulary, int stride) {
        DeviceMemory tokens = device.outputF32(rows);
        device.run(Sampling.sample(
                device.library(),
                settings,
                device.bf16(logits),
                device.i32(new int[] {POSITION}),
                FIRST_SEQUENCE,
                tokens,
                rows,
                vocabulary,
                stride));
        return device.readI32(tokens);
    }

    /// The random numbers of a row's draw.
    private static int[] words(int row) {
        return Philox4x32.words(SEED, FIRST_SEQUENCE + row, POSITION, 2, 0);
    }
}
