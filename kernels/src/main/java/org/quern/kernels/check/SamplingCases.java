package org.quern.kernels.check;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
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
                sample(2, 9001, 9008, HOT, 1000, 0.6, 0));
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
                        tied(8, 1000, 1000 + rest, 0.6),
                        tied(3, 9001, 9008 + rest, 0.3)));
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

    private static KernelCase sample(
            int rows, int vocabulary, int stride, double temperature, int topK, double topP, double minP) {
        String name = "sampling %dx%d in rows of %d, temperature %s, top-k %d, top-p %s, min-p %s"
                .formatted(rows, vocabulary, stride, temperature, topK, topP, minP);
        Settings settings = new Settings(temperature, topK, topP, minP, SEED);
        return new KernelCase(
                name,
                device -> sample(device, settings, device.normalBf16(rows * stride, 2), rows, vocabulary, stride));
    }

    /// Few different logits, so that top-p keeps some of those that are equal.
    private static KernelCase tied(int rows, int vocabulary, int stride, double topP) {
        Settings settings = new Settings(HOT, 0, topP, 0, SEED);
        return new KernelCase(
                "sampling %dx%d of few logits in rows of %d, top-p %s".formatted(rows, vocabulary, stride, topP),
                device -> sample(device, settings, device.integers(rows * stride, 2), rows, vocabulary, stride));
    }

    private static void sample(
            CheckDevice device, Settings settings, float[] logits, int rows, int vocabulary, int stride) {
        int position = 12;
        int firstSequence = 3;
        DeviceMemory tokens = device.outputF32(rows);
        device.run(Sampling.sample(
                device.library(),
                settings,
                device.bf16(logits),
                device.i32(new int[] {position}),
                firstSequence,
                tokens,
                rows,
                vocabulary,
                stride));
        int[] drawn = device.readI32(tokens);
        float[] distances = new float[rows];
        for (int row = 0; row < rows; row++) {
            int[] words = Philox4x32.words(SEED, firstSequence + row, position, 2, 0);
            double point = (words[1] & 0xFFFFFFFFL) * 0x1p-32 + (words[0] & 0xFFFFFFFFL) * 0x1p-64;
            double[] chances =
                    probabilities(Arrays.copyOfRange(logits, row * stride, row * stride + vocabulary), settings);
            distances[row] = (float) distance(chances, drawn[row], point);
        }
        // The error of weights may move the point past the end of a token's part.
        device.compare("distance of the draw from the token's part", distances, new double[rows], 0, 1e-6);
    }

    /// How far a point is from the part of a token, all tokens' parts lying from 0 to 1 in their order.
    private static double distance(double[] chances, int token, double point) {
        if (token < 0 || token >= chances.length || chances[token] == 0) {
            return 1;
        }
        double from = 0;
        for (int id = 0; id < token; id++) {
            from += chances[id];
        }
        return Math.max(0, Math.max(from - point, point - from - chances[token]));
    }

    private static double[] probabilities(float[] logits, Settings settings) {
        Integer[] order = IntStream.range(0, logits.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, Comparator.comparingDouble(id -> -logits[id])); // stable: of equals the first
        float max = logits[order[0]];
        double[] weights = new double[logits.length];
        for (int id = 0; id < logits.length; id++) {
            weights[id] = Math.exp((logits[id] - (double) max) / settings.temperature());
        }
        int kept = logits.length;
        if (settings.topK() > 0 && settings.topK() < kept) {
            kept = settings.topK();
            while (kept < logits.length && logits[order[kept]] == logits[order[settings.topK() - 1]]) {
                kept++;
            }
        }
        if (settings.topP() < 1) {
            double total = 0;
            for (int i = 0; i < kept; i++) {
                total += weights[order[i]];
            }
            double mass = weights[order[0]];
            int enough = 1;
            while (mass < settings.topP() * total) {
                mass += weights[order[enough++]];
            }
            kept = enough;
        }
        while (kept > 1 && weights[order[kept - 1]] < settings.minP()) {
            kept--;
        }
        double total = 0;
        for (int i = 0; i < kept; i++) {
            total += weights[order[i]];
        }
        double[] chances = new double[logits.length];
        for (int i = 0; i < kept; i++) {
            chances[order[i]] = weights[order[i]] / total;
        }
        return chances;
    }
}
