package org.quern.model;

import java.util.List;
import java.util.stream.IntStream;
import org.quern.graph.Op;

/// The frequencies of rotary positions, as Hugging Face computes them.
final class RotaryPositions {
    private RotaryPositions() {}

    /// theta^(-2i/D), stretched as in Llama 3.1 if the config says so: wavelengths beyond the original context
    /// over `lowFreqFactor` by `factor`, those under it over `highFreqFactor` not at all, those between by
    /// interpolation.
    static Op.RopeFrequencies frequencies(ModelConfig config) {
        List<Double> radians = IntStream.range(0, config.headDim() / 2)
                .mapToDouble(i -> Math.pow(config.ropeTheta(), -2.0 * i / config.headDim()))
                .map(frequency -> config.ropeScaling()
                        .map(scaling -> stretched(frequency, scaling))
                        .orElse(frequency))
                .boxed()
                .toList();
        return new Op.RopeFrequencies(radians, config.maxPositionEmbeddings());
    }

    private static double stretched(double frequency, ModelConfig.RopeScaling scaling) {
        double wavelength = 2 * Math.PI / frequency;
        double context = scaling.originalMaxPositionEmbeddings();
        if (wavelength < context / scaling.highFreqFactor()) {
            return frequency;
        }
        if (wavelength > context / scaling.lowFreqFactor()) {
            return frequency / scaling.factor();
        }
        double smooth =
                (context / wavelength - scaling.lowFreqFactor()) / (scaling.highFreqFactor() - scaling.lowFreqFactor());
        return (1 - smooth) * frequency / scaling.factor() + smooth * frequency;
    }
}
