package org.quern.kernels.check;

import java.util.Locale;

/// Floats of 8 bits, by the definition of their values: the nearest of all finite ones is taken.
///
/// Apart from the emulator's and the kernels' own conversions, which are held against it.
enum Fp8 {
    E4M3(126),
    E5M2(123);

    /// Finite values from 0 on, whose bits are their index.
    private final double[] values;

    Fp8(int most) {
        values = new double[most + 1];
        int fractionBits = 7 - (most == 126 ? 4 : 5);
        int bias = most == 126 ? 7 : 15;
        for (int bits = 0; bits <= most; bits++) {
            int exponent = bits >> fractionBits;
            double fraction = bits % (1 << fractionBits) / (double) (1 << fractionBits);
            values[bits] =
                    exponent == 0 ? fraction * Math.pow(2, 1 - bias) : (1 + fraction) * Math.pow(2, exponent - bias);
        }
    }

    static Fp8 of(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }

    /// The largest finite value.
    double largest() {
        return values[values.length - 1];
    }

    /// Of rounding to the nearest, where there is a leading one: half a unit of the last bit.
    double relativeError() {
        return this == E4M3 ? 0x1p-4 : 0x1p-3;
    }

    /// Of rounding to the nearest below that: half the smallest value.
    double absoluteError() {
        return values[1] / 2;
    }

    /// The nearest finite value's bits, of two as near the even ones.
    byte bits(double value) {
        double size = Math.abs(value);
        int below = 0;
        while (below + 1 < values.length && values[below + 1] <= size) {
            below++;
        }
        int bits = below;
        if (below + 1 < values.length) {
            double toBelow = size - values[below];
            double toAbove = values[below + 1] - size;
            bits += toAbove < toBelow || toAbove == toBelow && below % 2 == 1 ? 1 : 0;
        }
        return (byte) (Math.copySign(1, value) < 0 ? bits | 0x80 : bits);
    }

    /// Of which there are several in e5m2.
    boolean isNaN(byte bits) {
        return (bits & 0x7F) > (this == E4M3 ? 0x7E : 0x7C);
    }

    double value(byte bits) {
        double size = values[bits & 0x7F];
        return bits < 0 ? -size : size;
    }

    double round(double value) {
        return value(bits(value));
    }

    /// As templates call it: `e4m3`.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
