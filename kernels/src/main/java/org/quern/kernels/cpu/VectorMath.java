package org.quern.kernels.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Elementary functions on vectors, within 2 ulp, with the same bits whether compiled or interpreted.
final class VectorMath {
    private static final float LOG2_E = 1.44269504f;
    // ln 2 in two parts, the first short enough that n * LN2_HIGH is exact.
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    // 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits; 126 makes that the exponent of
    // 2^(n-1).
    private static final float ROUND = 12582912f + 126;
    private static final float SMALLEST = -86.98f;
    private static final float LARGEST = 88.72284f;

    private VectorMath() {}

    /// e^x; 0 below -86.98 (1.7e-38), infinity above 88.72284, NaN for NaN.
    ///
    /// x = n ln 2 + r with |r| <= ln 2 / 2; e^r is Cephes' polynomial (Moshier, expf.c); the scaling by 2^n is by
    /// 2^(n-1) twice, so that n = 128 does not overflow early.
    static FloatVector exp(FloatVector x) {
        FloatVector rounded = x.fma(Lanes.broadcast(LOG2_E), Lanes.broadcast(ROUND));
        FloatVector n = rounded.sub(ROUND);
        FloatVector r = n.fma(Lanes.broadcast(-LN2_HIGH), x);
        r = n.fma(Lanes.broadcast(-LN2_LOW), r);
        FloatVector p = r.fma(Lanes.broadcast(1.9875691500e-4f), Lanes.broadcast(1.3981999507e-3f));
        p = p.fma(r, Lanes.broadcast(8.3334519073e-3f));
        p = p.fma(r, Lanes.broadcast(4.1665795894e-2f));
        p = p.fma(r, Lanes.broadcast(1.6666665459e-1f));
        p = p.fma(r, Lanes.broadcast(5.0000001201e-1f));
        p = p.fma(r.mul(r), r).add(1f);
        FloatVector half = p.mul(
                rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
        return half.add(half)
                .blend(0f, x.compare(VectorOperators.LT, SMALLEST))
                .blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, LARGEST));
    }

    /// 1 / (1 + e^-x).
    static FloatVector sigmoid(FloatVector x) {
        return Lanes.broadcast(1f).div(exp(x.neg()).add(1f));
    }
}
