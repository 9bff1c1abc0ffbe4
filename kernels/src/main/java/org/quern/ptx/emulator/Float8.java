package org.quern.ptx.emulator;

/// Floats of 8 bits, as the Open Compute Project's specification of them has it. Of both kinds the exponent's lowest
/// value is that of numbers without a leading one.
enum Float8 {
    /// 4 bits of exponent and 3 behind the point; no infinities, and one NaN a sign.
    E4M3(3, -6, 0x7E),
    /// 5 bits of exponent and 2 behind the point, with infinities: the upper half of an f16.
    E5M2(2, -14, 0x7B);

    /// What conversions give for every NaN.
    static final int NAN = 0x7F;

    /// Bits behind the point.
    private final int fraction;
    /// Of the smallest number with a leading one.
    private final int leastExponent;
    /// The largest finite number.
    private final int most;

    private final float[] values = new float[256];

    Float8(int fraction, int leastExponent, int most) {
        this.fraction = fraction;
        this.leastExponent = leastExponent;
        this.most = most;
        for (int bits = 0; bits < 256; bits++) {
            float size = size(bits & 0x7F);
            values[bits] = bits < 0x80 ? size : -size;
        }
    }

    private float size(int bits) {
        if (bits > most) {
            return fraction == 2 && bits == most + 1 ? Float.POSITIVE_INFINITY : Float.NaN;
        }
        int exponent = bits >> fraction;
        int units = bits & (1 << fraction) - 1 | (exponent == 0 ? 0 : 1 << fraction);
        return Math.scalb((float) units, Math.max(exponent, 1) - 1 + leastExponent - fraction);
    }

    /// The number with these bits, of which the lowest 8 count.
    float toFloat(int bits) {
        return values[bits & 0xFF];
    }

    /// The bits of the nearest finite number, of two as near the even one.
    int round(float value) {
        if (Float.isNaN(value)) {
            return NAN;
        }
        int sign = Float.floatToRawIntBits(value) >>> 24 & 0x80;
        double size = Math.abs((double) value);
        int exponent = Math.max(Math.getExponent(size), leastExponent);
        double units = Math.rint(Math.scalb(size, fraction - exponent));
        return sign | (int) Math.min((exponent - leastExponent << fraction) + units, most);
    }
}
