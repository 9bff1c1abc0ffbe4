package org.quern.kernels.check;

/// How far two values are apart, beside how far they may be.
final class Tolerance {
    private Tolerance() {}

    /// The distance as a part of what is tolerated; infinite where nothing may differ, or one of them alone is NaN.
    static double parts(double actual, double expected, double tolerance) {
        if (actual == expected || Double.isNaN(actual) && Double.isNaN(expected)) {
            return 0;
        }
        double parts = Math.abs(actual - expected) / tolerance;
        return Double.isNaN(parts) ? Double.POSITIVE_INFINITY : parts;
    }
}
