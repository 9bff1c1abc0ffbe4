package org.quern.kernels.check;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.quern.kernels.cuda.Sampling.Settings;

/// Which token a point falls on, in double precision.
final class SamplingReference {
    private SamplingReference() {}

    /// How far the point that a row's draw takes is from the part of a token, all tokens' parts lying from 0 to 1 in
    /// their order.
    static double distance(float[] logits, Settings settings, int token, int[] words) {
        double point = (words[1] & 0xFFFFFFFFL) * 0x1p-32 + (words[0] & 0xFFFFFFFFL) * 0x1p-64;
        return distance(probabilities(logits, settings), token, point);
    }

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
