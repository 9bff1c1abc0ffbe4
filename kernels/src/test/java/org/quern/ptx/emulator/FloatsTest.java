package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FloatsTest {
    private static final float[] EDGES = {
        0f,
        -0f,
        1f,
        -1f,
        0.5f,
        3f,
        Float.MIN_VALUE,
        -Float.MIN_VALUE,
        Float.MIN_NORMAL,
        -Float.MIN_NORMAL,
        Math.nextDown(Float.MIN_NORMAL),
        Float.MAX_VALUE,
        -Float.MAX_VALUE,
        Float.POSITIVE_INFINITY,
        Float.NEGATIVE_INFINITY,
        Float.NaN,
        16777216f,
        1e-20f,
        -1e30f
    };

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    add.f32 f0, f1, f2           | f1=16777216 f2=1             | f0=16777216
                    add.rn.f32 f0, f1, f2        | f1=16777216 f2=3             | f0=16777220
                    add.f32 f0, f1, f2           | f1=Infinity f2=-Infinity     | f0=0x7FFFFFFF
                    add.f32 f0, f1, f2           | f1=0xFFC12345 f2=1           | f0=0x7FFFFFFF
                    add.f32 f0, f1, f2           | f1=-0.0 f2=-0.0              | f0=-0.0
                    add.f32 f0, f1, f2           | f1=1 f2=-1                   | f0=0
                    add.f32 f0, f1, f2           | f1=0x00000001 f2=0x00000001  | f0=0x00000002
                    add.ftz.f32 f0, f1, f2       | f1=0x00000001 f2=0x80000001  | f0=0
                    add.ftz.f32 f0, f1, f2       | f1=0x80000001 f2=0x80000001  | f0=-0.0
                    mul.ftz.f32 f0, f1, f2       | f1=0x00800000 f2=-0.5        | f0=-0.0
                    mul.f32 f0, f1, f2           | f1=0x00800000 f2=-0.5        | f0=0x80400000
                    mul.ftz.f32 f0, f1, f2       | f1=0x007FFFFF f2=1e38        | f0=0
                    mul.rn.f32 f0, f1, f2        | f1=0 f2=Infinity             | f0=0x7FFFFFFF
                    add.sat.f32 f0, f1, f2       | f1=1 f2=1                    | f0=1
                    add.sat.f32 f0, f1, f2       | f1=-1 f2=0.5                 | f0=0
                    add.sat.f32 f0, f1, f2       | f1=NaN f2=0.5                | f0=0
                    mul.sat.f32 f0, f1, f2       | f1=0.5 f2=-0.0               | f0=0
                    fma.rn.sat.f32 f0, f1, f2, f3 | f1=0.5 f2=0.5 f3=0.25       | f0=0.5
                    sub.f32 f0, f1, 1.5          | f1=1                         | f0=-0.5
                    fma.rn.f32 f0, f1, f2, f3    | f1=0x3F800001 f2=0x3F800001 f3=0xBF800002 | f0=0x28800000
                    fma.rn.ftz.f32 f0, f1, f2, f3 | f1=1 f2=1e-40 f3=0          | f0=0
                    mad.rn.f32 f0, f1, f2, f3    | f1=2 f2=3 f3=4               | f0=10
                    min.f32 f0, f1, f2           | f1=NaN f2=1                  | f0=1
                    min.f32 f0, f1, f2           | f1=1 f2=NaN                  | f0=1
                    min.f32 f0, f1, f2           | f1=0xFFFFFFFF f2=NaN         | f0=0x7FFFFFFF
                    min.NaN.f32 f0, f1, f2       | f1=1 f2=NaN                  | f0=0x7FFFFFFF
                    max.NaN.f32 f0, f1, f2       | f1=NaN f2=1                  | f0=0x7FFFFFFF
                    min.f32 f0, f1, f2           | f1=0.0 f2=-0.0               | f0=-0.0
                    max.f32 f0, f1, f2           | f1=-0.0 f2=0.0               | f0=0.0
                    max.ftz.f32 f0, f1, f2       | f1=0x00000001 f2=-1          | f0=0
                    max.f32 f0, f1, f2           | f1=-Infinity f2=-1           | f0=-1
                    abs.f32 f0, f1               | f1=-0.0                      | f0=0
                    neg.f32 f0, f1               | f1=0                         | f0=-0.0
                    neg.ftz.f32 f0, f1           | f1=0x00000001                | f0=-0.0
                    abs.ftz.f32 f0, f1           | f1=0x80000001                | f0=0
                    copysign.f32 f0, f1, f2      | f1=-0.0 f2=3                 | f0=-3
                    copysign.f32 f0, f1, f2      | f1=2 f2=-3                   | f0=3
                    div.rn.f32 f0, f1, f2        | f1=1 f2=3                    | f0=0x3EAAAAAB
                    div.full.f32 f0, f1, f2      | f1=1 f2=0                    | f0=Infinity
                    div.full.ftz.f32 f0, f1, f2  | f1=1 f2=0x80000001           | f0=-Infinity
                    div.approx.f32 f0, f1, f2    | f1=1 f2=-1e38                | f0=-0.0
                    div.approx.f32 f0, f1, f2    | f1=Infinity f2=1e38          | f0=0x7FFFFFFF
                    div.approx.f32 f0, f1, f2    | f1=6 f2=3                    | f0=2
                    rcp.approx.f32 f0, f1        | f1=-0.0                      | f0=-Infinity
                    rcp.approx.ftz.f32 f0, f1    | f1=0x00000001                | f0=Infinity
                    rcp.rn.f32 f0, f1            | f1=3                         | f0=0x3EAAAAAB
                    rcp.approx.ftz.f32 f0, f1    | f1=3e38                      | f0=0
                    sqrt.rn.f32 f0, f1           | f1=2                         | f0=0x3FB504F3
                    sqrt.approx.f32 f0, f1       | f1=-1                        | f0=0x7FFFFFFF
                    sqrt.approx.f32 f0, f1       | f1=-0.0                      | f0=-0.0
                    rsqrt.approx.f32 f0, f1      | f1=4                         | f0=0.5
                    rsqrt.approx.f32 f0, f1      | f1=0                         | f0=Infinity
                    rsqrt.approx.f32 f0, f1      | f1=-0.0                      | f0=-Infinity
                    ex2.approx.ftz.f32 f0, f1    | f1=-Infinity                 | f0=0
                    ex2.approx.ftz.f32 f0, f1    | f1=10                        | f0=1024
                    ex2.approx.ftz.f32 f0, f1    | f1=-130                      | f0=0
                    ex2.approx.f32 f0, f1        | f1=-130                      | f0=0x00080000
                    ex2.approx.f32 f0, f1        | f1=128                       | f0=Infinity
                    ex2.approx.f32 f0, f1        | f1=NaN                       | f0=0x7FFFFFFF
                    lg2.approx.f32 f0, f1        | f1=0x00000001                | f0=-149
                    lg2.approx.ftz.f32 f0, f1    | f1=0x00000001                | f0=-Infinity
                    lg2.approx.f32 f0, f1        | f1=-1                        | f0=0x7FFFFFFF
                    lg2.approx.f32 f0, f1        | f1=-0.0                      | f0=-Infinity
                    tanh.approx.f32 f0, f1       | f1=-Infinity                 | f0=-1
                    add.f64 g0, g1, g2           | g1=1e300 g2=-Infinity        | g0=-Infinity
                    mul.rn.f64 g0, g1, 0.5       | g1=3                         | g0=1.5
                    fma.rn.f64 g0, g1, g2, g3    | g1=1e200 g2=1e200 g3=-Infinity | g0=-Infinity
                    div.rn.f64 g0, g1, g2        | g1=1 g2=3                    | g0=0x3FD5555555555555
                    sqrt.rn.f64 g0, g1           | g1=2                         | g0=0x3FF6A09E667F3BCD
                    min.f64 g0, g1, g2           | g1=NaN g2=-0.0               | g0=-0.0
                    neg.f64 g0, g1               | g1=1                         | g0=-1
                    abs.f64 g0, g1               | g1=-1                        | g0=1
                    fma.rn.bf16x2 r0, r1, r2, r3 | r1=0x3F804000 r2=0x40404040 r3=0x3F80BF80 | r0=0x408040A0
                    fma.rn.bf16 h0, h1, h2, h3   | h1=0x3F81 h2=0x3F81 h3=0x3F80 | h0=0x4001
                    fma.rn.bf16 h0, h1, h2, h3   | h1=0x7F80 h2=0 h3=0x3F80     | h0=0x7FFF
                    fma.rn.relu.bf16 h0, h1, h2, h3 | h1=0xBF80 h2=0x3F80 h3=0  | h0=0
                    fma.rn.relu.bf16 h0, h1, h2, h3 | h1=0x7FC0 h2=0x3F80 h3=0  | h0=0x7FFF
                    min.bf16x2 r0, r1, r2        | r1=0x3F807FC0 r2=0x40003F80  | r0=0x3F803F80
                    max.NaN.bf16x2 r0, r1, r2    | r1=0x3F807FC0 r2=0x40003F80  | r0=0x40007FFF
                    max.bf16 h0, h1, h2          | h1=0x8000 h2=0               | h0=0
                    neg.bf16x2 r0, r1            | r1=0x3F800000                | r0=0xBF808000
                    abs.bf16x2 r0, r1            | r1=0xBF808000                | r0=0x3F800000
                    add.rn.bf16x2 r0, r1, r2     | r1=0x3F803F80 r2=0x3F803B80  | r0=0x40003F80
                    mul.bf16x2 r0, r1, r2        | r1=0x40404040 r2=0x40403F80  | r0=0x41104040
                    ex2.approx.ftz.bf16x2 r0, r1 | r1=0x3F800000                | r0=0x40003F80
                    """)
    void gives(String instruction, String before, String after) {
        ArithmeticTest.check(instruction, before, after);
    }

    @Test
    void fusesMultiplyAndAddWithOneRounding() {
        Snippet snippet = new Snippet("fma.rn.f32 f0, f1, f2, f3;");
        Random random = new Random(1);
        for (int i = 0; i < 2000; i++) {
            float a = random.nextFloat() - 0.5f;
            float b = random.nextFloat() - 0.5f;
            float c = -a * b * (1 + random.nextInt(3) * 1e-7f);
            float expected = new BigDecimal(a)
                    .multiply(new BigDecimal(b))
                    .add(new BigDecimal(c))
                    .floatValue();
            snippet.set("f1", bits(a)).set("f2", bits(b)).set("f3", bits(c)).run();
            assertThat(Float.intBitsToFloat((int) snippet.get("f0")[0]))
                    .as("%a * %a + %a", a, b, c)
                    .isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @CsvSource({"rcp, 1", "sqrt, 1", "rsqrt, 2", "ex2, 2", "lg2, 2", "tanh, 2", "sin, 2", "cos, 2"})
    void approximatesWithinUlps(String function, int ulps) {
        DoubleUnaryOperator exact = switch (function) {
            case "rcp" -> x -> 1 / x;
            case "sqrt" -> Math::sqrt;
            case "rsqrt" -> x -> Math.pow(x, -0.5);
            case "ex2" -> x -> Math.exp(x * Math.log(2));
            case "lg2" -> x -> Math.log10(x) / Math.log10(2);
            case "tanh" -> StrictMath::tanh;
            case "sin" -> StrictMath::sin;
            default -> StrictMath::cos;
        };
        Snippet snippet = new Snippet(function + ".approx.f32 f0, f1;");
        Random random = new Random(2);
        for (int i = 0; i < 2000; i++) {
            float a = (random.nextFloat() + 0.01f) * (1 << random.nextInt(6));
            float expected = (float) exact.applyAsDouble(a);
            float actual =
                    Float.intBitsToFloat((int) snippet.set("f1", bits(a)).run().get("f0")[0]);
            assertThat((double) actual)
                    .isCloseTo(expected, org.assertj.core.data.Offset.offset((double) ulps * Math.ulp(expected)));
        }
    }

    @Test
    void comparesEdges() {
        for (String relation :
                new String[] {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"
                }) {
            Snippet single = new Snippet("setp." + relation + ".f32 p0|p1, f1, f2;");
            Snippet twofold = new Snippet("setp." + relation + ".f64 p0, g1, g2;");
            for (float a : EDGES) {
                for (float b : EDGES) {
                    long expected = holds(relation, a, b) ? 1 : 0;
                    single.set("f1", bits(a)).set("f2", bits(b)).run();
                    twofold.set("g1", Double.doubleToLongBits(a))
                            .set("g2", Double.doubleToLongBits(b))
                            .run();
                    assertThat(single.get("p0")[0])
                            .as("%s %s %s", a, relation, b)
                            .isEqualTo(expected);
                    assertThat(single.get("p1")[0]).isEqualTo(1 - expected);
                    assertThat(twofold.get("p0")[0]).isEqualTo(expected);
                }
            }
        }
    }

    private static boolean holds(String relation, float a, float b) {
        boolean unordered = Float.isNaN(a) || Float.isNaN(b);
        return switch (relation) {
            case "num" -> !unordered;
            case "nan" -> unordered;
            default -> {
                boolean ordered = switch (relation.substring(0, 2)) {
                    case "eq" -> a == b;
                    case "ne" -> a != b;
                    case "lt" -> a < b;
                    case "le" -> a <= b;
                    case "gt" -> a > b;
                    default -> a >= b;
                };
                yield unordered ? relation.endsWith("u") : ordered;
            }
        };
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
                    setp.eq.ftz.f32 p0, f1, f2       ; f1=0x00000001 f2=-0.0       ; p0=1
                    setp.lt.and.f32 p0, f1, f2, p3   ; f1=1 f2=2 p3=0              ; p0=0
                    setp.lt.and.f32 p0, f1, f2, !p3  ; f1=1 f2=2 p3=0              ; p0=1
                    setp.lt.or.f32 p0|p1, f1, f2, p3 ; f1=1 f2=2 p3=1              ; p0=1 p1=1
                    setp.lt.xor.s32 p0|p1, r1, r2, p3 ; r1=-1 r2=2 p3=1            ; p0=0 p1=1
                    setp.eq.and.u32 p0|p1, r1, r2, p0 ; r1=1 r2=1 p0=1             ; p0=1 p1=0
                    setp.ne.and.u32 p0|p1, r1, r2, p0 ; r1=1 r2=1 p0=1             ; p0=0 p1=1
                    setp.eq.and.u32 p0|p1, r1, r2, p1 ; r1=1 r2=2 p1=1             ; p0=0 p1=1
                    setp.eq.b64 p0, x1, -1           ; x1=-1                       ; p0=1
                    setp.hi.u32 _|p1, r1, 5          ; r1=-1                       ; p1=0
                    set.lt.u32.f32 r0, f1, f2        ; f1=1 f2=2                   ; r0=-1
                    set.lt.f32.s32 f0, r1, r2        ; r1=-1 r2=2                  ; f0=1
                    set.gt.and.s32.f32 r0, f1, f2, p3 ; f1=2 f2=1 p3=0             ; r0=0
                    selp.f32 f0, f1, f2, p3          ; f1=1 f2=2 p3=1              ; f0=1
                    selp.b64 x0, x1, x2, !p3         ; x1=1 x2=2 p3=1              ; x0=2
                    selp.u16 h0, h1, 7, p3           ; h1=1 p3=0                   ; h0=7
                    slct.f32.s32 f0, f1, f2, r3      ; f1=1 f2=2 r3=-1             ; f0=2
                    slct.u64.s32 x0, x1, x2, r3      ; x1=1 x2=2 r3=0              ; x0=1
                    slct.f32.f32 f0, f1, f2, f3      ; f1=1 f2=2 f3=-0.0           ; f0=1
                    slct.f32.f32 f0, f1, f2, f3      ; f1=1 f2=2 f3=NaN            ; f0=2
                    slct.f32.f32 f0, f1, f2, f3      ; f1=1 f2=2 f3=0x80000001     ; f0=2
                    slct.ftz.f32.f32 f0, f1, f2, f3  ; f1=1 f2=2 f3=0x80000001     ; f0=1
                    testp.finite.f32 p0, f1          ; f1=Infinity                 ; p0=0
                    testp.finite.f32 p0, f1          ; f1=0                        ; p0=1
                    testp.infinite.f32 p0, f1        ; f1=-Infinity                ; p0=1
                    testp.number.f32 p0, f1          ; f1=Infinity                 ; p0=1
                    testp.notanumber.f64 p0, g1      ; g1=NaN                      ; p0=1
                    testp.normal.f32 p0, f1          ; f1=0x00800000               ; p0=1
                    testp.normal.f32 p0, f1          ; f1=0                        ; p0=0
                    testp.subnormal.f32 p0, f1       ; f1=0x807FFFFF               ; p0=1
                    testp.subnormal.f64 p0, g1       ; g1=0x000FFFFFFFFFFFFF       ; p0=1
                    testp.subnormal.f32 p0, f1       ; f1=0                        ; p0=0
                    """)
    void decides(String instruction, String before, String after) {
        ArithmeticTest.check(instruction, before, after);
    }

    private static long bits(float value) {
        return Integer.toUnsignedLong(Float.floatToIntBits(value));
    }
}
