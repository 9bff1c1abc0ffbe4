package org.quern.kernels.check;

/// Brain floats: the upper half of a float's bits.
public final class Bf16 {
    /// The relative error of rounding to the nearest: half a unit of 8 significant bits.
    public static final double ROUNDING = 0x1p-8;

    private Bf16() {}

    /// The nearest brain float, ties to even, as its 16 bits.
    public static short bits(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }

    public static float value(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static float round(float value) {
        return value(bits(value));
    }
}
