package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConversionsTest {

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    cvt.u64.u32 x0, r1            | r1=-1                     | x0=0xFFFFFFFF
                    cvt.s64.s32 x0, r1            | r1=-1                     | x0=-1
                    cvt.u64.s32 x0, r1            | r1=-1                     | x0=-1
                    cvt.u32.u64 r0, x1            | x1=0x123456789            | r0=0x23456789
                    cvt.u16.u32 h0, r1            | r1=0x12345                | h0=0x2345
                    cvt.u16.u32 r0, r1            | r1=0x12345                | r0=0x2345
                    cvt.s16.s32 r0, r1            | r1=0x1FFFF                | r0=-1
                    cvt.s32.s8 r0, r1             | r1=0x1280                 | r0=-128
                    cvt.u32.u8 r0, r1             | r1=0x1280                 | r0=128
                    cvt.u32.s8 r0, h1             | h1=0x80                   | r0=0xFFFFFF80
                    cvt.u8.u32 h0, r1             | r1=0x1FF                  | h0=255
                    cvt.s8.s32 h0, r1             | r1=0x80                   | h0=0xFF80
                    cvt.u32.u16 r0, x1            | x1=0x12348765             | r0=0x8765
                    cvt.sat.u8.s32 r0, r1         | r1=-5                     | r0=0
                    cvt.sat.u8.s32 r0, r1         | r1=300                    | r0=255
                    cvt.sat.s8.s32 r0, r1         | r1=-300                   | r0=-128
                    cvt.sat.s32.u32 r0, r1        | r1=-1                     | r0=2147483647
                    cvt.sat.u32.s64 r0, x1        | x1=-1                     | r0=0
                    cvt.sat.s64.u64 x0, x1        | x1=-1                     | x0=0x7FFFFFFFFFFFFFFF
                    cvt.sat.u64.s32 x0, r1        | r1=-1                     | x0=0
                    cvt.sat.u32.u64 r0, x1        | x1=-1                     | r0=-1
                    cvt.rn.f32.s32 f0, r1         | r1=16777217               | f0=16777216
                    cvt.rn.f32.u32 f0, r1         | r1=-1                     | f0=4294967296
                    cvt.rn.f32.s32 f0, r1         | r1=-1                     | f0=-1
                    cvt.rn.f32.u16 f0, h1         | h1=-1                     | f0=65535
                    cvt.rn.f32.s8 f0, r1          | r1=0x1FF                  | f0=-1
                    cvt.rn.f32.u64 f0, x1         | x1=-1                     | f0=0x5F800000
                    cvt.rn.f32.u64 f0, x1         | x1=0x8000008000000001     | f0=0x5F000001
                    cvt.rn.f64.u64 g0, x1         | x1=0x8000000000000401     | g0=0x43E0000000000001
                    cvt.rn.f64.s64 g0, x1         | x1=-9223372036854775808   | g0=-9223372036854775808
                    cvt.rni.s32.f32 r0, f1        | f1=2.5                    | r0=2
                    cvt.rni.s32.f32 r0, f1        | f1=-3.5                   | r0=-4
                    cvt.rzi.s32.f32 r0, f1        | f1=-3.9                   | r0=-3
                    cvt.rmi.s32.f32 r0, f1        | f1=-3.1                   | r0=-4
                    cvt.rpi.s32.f32 r0, f1        | f1=3.1                    | r0=4
                    cvt.rzi.s32.f32 r0, f1        | f1=1e10                   | r0=2147483647
                    cvt.rzi.s32.f32 r0, f1        | f1=-Infinity              | r0=-2147483648
                    cvt.rzi.u32.f32 r0, f1        | f1=-1                     | r0=0
                    cvt.rzi.u32.f32 r0, f1        | f1=4294967296             | r0=-1
                    cvt.rzi.u32.f32 r0, f1        | f1=3e9                    | r0=3000000000
                    cvt.rzi.s32.f32 r0, f1        | f1=NaN                    | r0=0
                    cvt.rzi.s32.f64 r0, g1        | g1=NaN                    | r0=-2147483648
                    cvt.rzi.u64.f32 x0, f1        | f1=NaN                    | x0=-9223372036854775808
                    cvt.rzi.u64.f32 x0, f1        | f1=0x5F000001             | x0=0x8000010000000000
                    cvt.rzi.u64.f64 x0, g1        | g1=1e30                   | x0=-1
                    cvt.rzi.s64.f64 x0, g1        | g1=1e30                   | x0=0x7FFFFFFFFFFFFFFF
                    cvt.rzi.u8.f32 r0, f1         | f1=300                    | r0=255
                    cvt.rzi.s8.f32 r0, f1         | f1=-300                   | r0=-128
                    cvt.rni.s16.f32 h0, f1        | f1=-1.4                   | h0=-1
                    cvt.rni.f32.f32 f0, f1        | f1=2.5                    | f0=2
                    cvt.rzi.f32.f32 f0, f1        | f1=-0.5                   | f0=-0.0
                    cvt.rpi.ftz.f32.f32 f0, f1    | f1=0x00000001             | f0=0
                    cvt.sat.f32.f32 f0, f1        | f1=1.5                    | f0=1
                    cvt.sat.f32.f32 f0, f1        | f1=NaN                    | f0=0
                    cvt.ftz.f32.f32 f0, f1        | f1=0x80000001             | f0=-0.0
                    cvt.f64.f32 g0, f1            | f1=0x00000001             | g0=0x36A0000000000000
                    cvt.ftz.f64.f32 g0, f1        | f1=0x00000001             | g0=0
                    cvt.rn.f32.f64 f0, g1         | g1=0x3FF0000010000000     | f0=1
                    cvt.rn.f32.f64 f0, g1         | g1=0x3FF0000010000001     | f0=0x3F800001
                    cvt.rn.f32.f64 f0, g1         | g1=1e300                  | f0=Infinity
                    cvt.rn.f16.f32 h0, f1         | f1=65520                  | h0=0x7C00
                    cvt.rn.f16.f32 h0, f1         | f1=1.0009766              | h0=0x3C01
                    cvt.f32.f16 f0, h1            | h1=1                      | f0=0x33800000
                    cvt.rn.f16x2.f32 r0, f1, f2   | f1=1 f2=-2                | r0=0x3C00C000
                    cvt.rn.bf16x2.f32 r0, f1, f2  | f1=1 f2=-2                | r0=0x3F80C000
                    cvt.rn.relu.bf16x2.f32 r0, f1, f2 | f1=-1 f2=-0.0         | r0=0
                    cvt.rn.relu.bf16x2.f32 r0, f1, f2 | f1=NaN f2=3           | r0=0x7FFF4040
                    cvt.rz.bf16x2.f32 r0, f1, f2  | f1=0x3F80FFFF f2=0xBF80FFFF | r0=0x3F80BF80
                    cvt.rn.bf16.f32 h0, f1        | f1=0x7F7FFFFF             | h0=0x7F80
                    cvt.rn.bf16.f32 h0, f1        | f1=0xFFFFFFFF             | h0=0x7FFF
                    cvt.rn.relu.bf16.f32 h0, f1   | f1=-Infinity              | h0=0
                    cvt.rz.bf16.f32 h0, f1        | f1=0x7F7FFFFF             | h0=0x7F7F
                    cvt.rna.tf32.f32 r0, f1       | f1=0x3F801000             | r0=0x3F802000
                    cvt.rna.tf32.f32 r0, f1       | f1=0x3F800FFF             | r0=0x3F800000
                    cvt.rn.satfinite.e4m3x2.f32 h0, f1, f2 | f1=1 f2=-2       | h0=0x38C0
                    cvt.rn.satfinite.e4m3x2.f32 h0, f1, f2 | f1=-Infinity f2=NaN | h0=0xFE7F
                    cvt.rn.satfinite.e5m2x2.f32 h0, f1, f2 | f1=1e9 f2=NaN    | h0=0x7B7F
                    cvt.rn.f16x2.e4m3x2 r0, h1    | h1=0x7FC0                 | r0=0x7FFFC000
                    cvt.rn.f16x2.e5m2x2 r0, h1    | h1=0x7CFF                 | r0=0x7C007FFF
                    """)
    void gives(String instruction, String before, String after) {
        ArithmeticTest.check(instruction, before, after);
    }

    /// The first 16 bits of a float are a bf16 as they are; of all between two of them the nearer is taken, and of
    /// two as near the even one.
    @Test
    void roundsEveryFloatToTheNearestBrainFloat() {
        Snippet round = new Snippet("cvt.rn.bf16.f32 h0, f1;");
        Snippet pair = new Snippet("cvt.rn.bf16x2.f32 r0, f1, f2;");
        Snippet widen = new Snippet("cvt.f32.bf16 f0, h1;");
        long[] behind = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
        for (long upper = 0; upper < 65536; upper++) {
            boolean special = (upper & 0x7F80) == 0x7F80;
            boolean nan = special && (upper & 0x7F) != 0;
            assertThat(widen.set("h1", upper).run().get("f0")[0]).isEqualTo(nan ? 0x7FFFFFFFL : upper << 16);
            long[] floats = behind.clone();
            for (int i = 0; i < floats.length; i++) {
                floats[i] |= upper << 16;
            }
            long[] rounded = round.set("f1", floats).run().get("h0");
            long[] pairs = pair.set("f1", floats).set("f2", floats[0]).run().get("r0");
            for (int i = 0; i < floats.length; i++) {
                boolean up = behind[i] > 0x8000 || behind[i] == 0x8000 && (upper & 1) == 1;
                boolean becomesNaN = nan || special && behind[i] != 0;
                long expected = becomesNaN ? 0x7FFF : up ? upper + 1 : upper;
                assertThat(rounded[i]).as("%08x", floats[i]).isEqualTo(expected);
                assertThat(pairs[i] >>> 16).isEqualTo(expected);
                assertThat(pairs[i] & 0xFFFF).isEqualTo(nan ? 0x7FFF : upper);
            }
        }
    }

    /// What the bits of an e4m3 or e5m2 stand for, by the formulas of the specification; e5m2 is the upper half of an
    /// f16.
    private static double float8(String type, int bits) {
        if (type.equals("e5m2")) {
            return Float.float16ToFloat((short) (bits << 8));
        }
        int exponent = bits >> 3 & 15;
        double fraction = (bits & 7) / 8.0;
        double size = exponent == 0 ? fraction / 64 : (1 + fraction) * Math.pow(2, exponent - 7);
        return (bits & 127) == 127 ? Double.NaN : bits < 128 ? size : -size;
    }

    @ParameterizedTest
    @ValueSource(strings = {"e4m3", "e5m2"})
    void widensEveryFloatOf8Bits(String type) {
        Snippet widen = new Snippet("cvt.rn.f16x2.%sx2 r0, h1;".formatted(type));
        for (int bits = 0; bits < 256; bits++) {
            long pair = widen.set("h1", bits << 8 | 255 - bits).run().get("r0")[0];
            assertThat((double) Float.float16ToFloat((short) (pair >>> 16)))
                    .isEqualTo(Double.valueOf(float8(type, bits)));
            assertThat((double) Float.float16ToFloat((short) pair)).isEqualTo(Double.valueOf(float8(type, 255 - bits)));
        }
    }

    /// Finite numbers follow each other as their bits do: what is between two of them becomes the nearer one, the
    /// middle the one whose bits are even, and what is beyond the last one that.
    @ParameterizedTest
    @CsvSource({"e4m3, 126", "e5m2, 123"})
    void roundsToTheNearestFloatOf8Bits(String type, int most) {
        Snippet round = new Snippet("cvt.rn.satfinite.%sx2.f32 h0, f1, f2;".formatted(type));
        for (int bits = 0; bits <= most; bits++) {
            float value = (float) float8(type, bits);
            float next = bits == most ? 2 * value : (float) float8(type, bits + 1);
            float middle = (value + next) / 2;
            int above = Math.min(bits + 1, most);
            float[] floats = {
                value, Math.nextUp(value), Math.nextDown(middle), middle, Math.nextUp(middle), Math.nextDown(next)
            };
            int[] expected = {bits, bits, bits, bits % 2 == 0 ? bits : above, above, above};
            for (int i = 0; i < floats.length; i++) {
                long positive = Integer.toUnsignedLong(Float.floatToIntBits(floats[i]));
                round.set("f1", positive).set("f2", positive | 0x80000000L).run();
                assertThat(round.get("h0")[0])
                        .as("%s of %s", type, floats[i])
                        .isEqualTo((long) expected[i] << 8 | 0x80 | expected[i]);
            }
        }
    }

    /// Products of bf16 have 16 bits and sums of them and a third number many more, so rounding in between shows.
    @Test
    void fusesBrainFloatsWithOneRounding() {
        Snippet snippet = new Snippet("fma.rn.bf16 h0, h1, h2, h3;");
        Random random = new Random(3);
        for (int i = 0; i < 20_000; i++) {
            long a = 0x3F80 - random.nextInt(512);
            long b = 0x3F80 - random.nextInt(512);
            long c = (random.nextInt(2) << 15) | 0x3F80 - random.nextInt(0x3000);
            BigDecimal exact = decimal(a).multiply(decimal(b)).add(decimal(c));
            long actual = snippet.set("h1", a).set("h2", b).set("h3", c).run().get("h0")[0];
            BigDecimal error = decimal(actual).subtract(exact).abs();
            for (long other : new long[] {actual - 1, actual + 1}) {
                if ((actual & 0x7FFF) == 0 || (other & 0x7FFF) == 0x7FFF) {
                    continue;
                }
                int order = error.compareTo(decimal(other).subtract(exact).abs());
                assertThat(order < 0 || order == 0 && (actual & 1) == 0)
                        .as("%04x * %04x + %04x = %04x rather than %04x", a, b, c, actual, other)
                        .isTrue();
            }
        }
    }

    private static BigDecimal decimal(long brainFloat) {
        return new BigDecimal(Float.intBitsToFloat((int) brainFloat << 16));
    }

    @ParameterizedTest
    @ValueSource(strings = {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"})
    void roundsFloatsToIntegers(String type) {
        int width = Integer.parseInt(type.substring(1));
        boolean signed = type.startsWith("s");
        BigInteger least = signed ? BigInteger.TWO.pow(width - 1).negate() : BigInteger.ZERO;
        BigInteger most = BigInteger.TWO.pow(signed ? width - 1 : width).subtract(BigInteger.ONE);
        String register = width == 64 ? "x0" : width == 16 ? "h0" : "r0";
        RoundingMode[] modes = {RoundingMode.HALF_EVEN, RoundingMode.DOWN, RoundingMode.FLOOR, RoundingMode.CEILING};
        String[] names = {"rni", "rzi", "rmi", "rpi"};
        for (int mode = 0; mode < 4; mode++) {
            Snippet single = new Snippet("cvt.%s.%s.f32 %s, f1;".formatted(names[mode], type, register));
            Snippet twofold = new Snippet("cvt.%s.%s.f64 %s, g1;".formatted(names[mode], type, register));
            Random random = new Random(width);
            for (int i = 0; i < 500; i++) {
                double value =
                        i < 50 ? (i - 25) * 0.5 : random.nextGaussian() * Math.scalb(1, random.nextInt(width + 2));
                float rounded = (float) value;
                single.set("f1", Integer.toUnsignedLong(Float.floatToIntBits(rounded)));
                twofold.set("g1", Double.doubleToLongBits(value));
                assertThat(single.run().get(register)[0])
                        .as("%s %s %s", names[mode], type, rounded)
                        .isEqualTo(expected(rounded, modes[mode], least, most, register));
                assertThat(twofold.run().get(register)[0])
                        .as("%s %s %s", names[mode], type, value)
                        .isEqualTo(expected(value, modes[mode], least, most, register));
            }
        }
    }

    private static long expected(double value, RoundingMode mode, BigInteger least, BigInteger most, String register) {
        BigInteger integer = new BigDecimal(value).setScale(0, mode).toBigInteger();
        long bits = integer.max(least).min(most).longValue();
        return register.equals("x0") ? bits : bits & (register.equals("h0") ? 0xFFFF : 0xFFFFFFFFL);
    }

    @ParameterizedTest
    @ValueSource(strings = {"s32", "u32", "s64", "u64"})
    void roundsIntegersToFloats(String type) {
        boolean wide = type.endsWith("64");
        String register = wide ? "x1" : "r1";
        Snippet single = new Snippet("cvt.rn.f32.%s f0, %s;".formatted(type, register));
        Snippet twofold = new Snippet("cvt.rn.f64.%s g0, %s;".formatted(type, register));
        Random random = new Random(4);
        for (int i = 0; i < 2000; i++) {
            long value = random.nextLong() >> random.nextInt(40);
            if (i % 3 == 0) { // near the middle between two floats
                value = (value | 0x8000000000000000L) & 0xFFFFFF0000000000L | 0x0000008000000000L | i % 2;
            }
            BigInteger number = wide ? BigInteger.valueOf(value) : BigInteger.valueOf((int) value);
            if (type.startsWith("u") && number.signum() < 0) {
                number = number.add(BigInteger.TWO.pow(wide ? 64 : 32));
            }
            single.set(register, value).run();
            twofold.set(register, value).run();
            assertThat(Float.intBitsToFloat((int) single.get("f0")[0])).isEqualTo(number.floatValue());
            assertThat(Double.longBitsToDouble(twofold.get("g0")[0])).isEqualTo(number.doubleValue());
        }
    }
}
