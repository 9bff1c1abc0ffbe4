package org.quern.optimizer;

/// The learning rate of each step as a fraction of the peak: a linear warm-up, then a shape.
///
/// With S steps and W of warm-up, step s (from 0) of the warm-up has (s + 1) / W; the first step after it has
/// 1.
///
/// @param shape what follows the warm-up
/// @param steps steps of the whole run
/// @param warmupSteps steps of the warm-up
/// @param decaySteps the last steps, in which `WSD` goes down; unused by the others
/// @param finalFraction the fraction that the last step comes down to
public record LearningRate(Shape shape, long steps, long warmupSteps, long decaySteps, double finalFraction) {

    /// Shapes after the warm-up.
    public enum Shape {
        /// Half a cosine down to the final fraction (Loshchilov and Hutter, 2017).
        COSINE,
        /// A line down to the final fraction.
        LINEAR,
        /// Warm-up, stable, decay: the peak, then a line down in the last `decaySteps` (Hu et al., 2024).
        WSD,
        /// The peak.
        CONSTANT
    }

    /// The fraction of the peak in a step, counted from 0.
    public double fraction(long step) {
        if (step < warmupSteps) {
            return (step + 1.0) / warmupSteps;
        }
        return switch (shape) {
            case CONSTANT -> 1;
            case LINEAR -> 1 - progress(step, warmupSteps) * (1 - finalFraction);
            case COSINE -> {
                double half = (1 + Math.cos(Math.PI * progress(step, warmupSteps))) / 2;
                yield finalFraction + (1 - finalFraction) * half;
            }
            case WSD -> {
                long start = steps - decaySteps;
                yield step < start ? 1 : 1 - progress(step, start) * (1 - finalFraction);
            }
        };
    }

    /// 0 at `start`, 1 at the last step.
    private double progress(long step, long start) {
        long span = steps - 1 - start;
        return span <= 0 ? 1 : Math.min(1, (step - start) / (double) span);
    }
}
