package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Elementary functions with the same bits whether compiled or interpreted: the JDK's own on vectors differ.
///
/// Of these functions a method that C2 compiles, with all that it inlines, can hold two: then it has passed
/// the limit (18,000 nodes) after which C2 inlines nothing outside the JDK, and a vector that is passed to a
/// method that is not inlined is allocated on the heap. Constants are vectors rather than floats to stay
/// below it.
final class VectorMath {
    private static final FloatVector LOG2_E = all(1.44269504f);
    // 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits; 127 makes that the exponent of 2^n.
    private static final FloatVector ROUND = all(12582912f + 127);
    // ln 2 in two parts, the first short enough that n * LN2_HIGH is exact.
    private static final FloatVector MINUS_LN2_HIGH = all(-0.693359375f);
    private static final FloatVector MINUS_LN2_LOW = all(2.12194440e-4f);
    private static final FloatVector C6 = all(1.9875691500e-4f);
    private static final FloatVector C5 = all(1.3981999507e-3f);
    private static final FloatVector C4 = all(8.3334519073e-3f);
    private static final FloatVector C3 = all(4.1665795894e-2f);
    private static final FloatVector C2 = all(1.6666665459e-1f);
    private static final FloatVector C1 = all(5.0000001201e-1f);
    private static final FloatVector ONE = all(1);
    private static final FloatVector ZERO = all(0);
    private static final FloatVector SMALLEST = all(-87.33f);
    private static final FloatVector LARGEST = all(88.02f);

    private VectorMath() {}

    private static FloatVector all(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }

    /// e^x for x up to 88.02 (1.7e38), within 2 ulp; 0 below -87.33 (1.2e-38), NaN for NaN, anything for
    /// larger x.
    ///
    /// x = n ln 2 + r with |r| <= ln 2 / 2; e^r is Cephes' polynomial (Moshier, expf.c).
    static FloatVector exp(FloatVector x) {
        FloatVector rounded = x.fma(LOG2_E, ROUND);
        FloatVector n = rounded.sub(ROUND);
        FloatVector r = n.fma(MINUS_LN2_LOW, n.fma(MINUS_LN2_HIGH, x));
        FloatVector p = r.fma(C6, C5);
        p = p.fma(r, C4);
        p = p.fma(r, C3);
        p = p.fma(r, C2);
        p = p.fma(r, C1);
        p = p.fma(r, ONE);
        p = p.fma(r, ONE);
        FloatVector power =
                rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
        return p.mul(power).blend(ZERO, x.compare(VectorOperators.LT, SMALLEST));
    }

    /// 1 / (1 + e^-x), for x below -88.02 as for -88.02 (5.9e-39).
    static FloatVector sigmoid(FloatVector x) {
        FloatVector minus = x.neg();
        minus = minus.blend(LARGEST, minus.compare(VectorOperators.GT, LARGEST));
        return ONE.div(exp(minus).add(ONE));
    }

    /// 1 / (1 + e^-x).
    static float sigmoid(float x) {
        return (float) (1 / (1 + StrictMath.exp(-x)));
    }
}
