package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Single instructions with what PTX says they give.
class ArithmeticTest {

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    add.u32 r0, r1, r2              | r1=0xFFFFFFFF r2=1                | r0=0
                    add.s32 r0, r1, -3              | r1=1                              | r0=-2
                    add.sat.s32 r0, r1, r2          | r1=2147483647 r2=1                | r0=2147483647
                    add.sat.s32 r0, r1, r2          | r1=-2147483648 r2=-1              | r0=-2147483648
                    sub.sat.s32 r0, r1, r2          | r1=-2147483648 r2=1               | r0=-2147483648
                    add.u16 h0, h1, h2              | h1=0xFFFF h2=2                    | h0=1
                    sub.s64 x0, x1, x2              | x1=0 x2=1                         | x0=-1
                    mul.lo.s32 r0, r1, r2           | r1=65536 r2=65536                 | r0=0
                    mul.hi.u32 r0, r1, r2           | r1=0xFFFFFFFF r2=0xFFFFFFFF       | r0=0xFFFFFFFE
                    mul.hi.s32 r0, r1, r2           | r1=-1 r2=1                        | r0=-1
                    mul.hi.u64 x0, x1, x2           | x1=-1 x2=-1                       | x0=-2
                    mul.hi.s64 x0, x1, x2           | x1=-1 x2=-1                       | x0=0
                    mul.wide.u32 x0, r1, r2         | r1=-1 r2=-1                       | x0=0xFFFFFFFE00000001
                    mul.wide.s32 x0, r1, r2         | r1=-1 r2=-1                       | x0=1
                    mul.wide.s32 x0, r1, -8         | r1=3                              | x0=-24
                    mul.wide.u16 r0, h1, h2         | h1=0xFFFF h2=0xFFFF               | r0=0xFFFE0001
                    mul.wide.s16 r0, h1, h2         | h1=0xFFFF h2=2                    | r0=-2
                    mad.lo.u32 r0, r1, r2, r3       | r1=7 r2=9 r3=-1                   | r0=62
                    mad.hi.u32 r0, r1, r2, r3       | r1=0x80000000 r2=4 r3=5           | r0=7
                    mad.wide.u32 x0, r1, r2, x3     | r1=-1 r2=2 x3=3                   | x0=0x200000001
                    mad.wide.s32 x0, r1, r2, x3     | r1=-1 r2=2 x3=3                   | x0=1
                    div.s32 r0, r1, r2              | r1=-7 r2=2                        | r0=-3
                    div.u32 r0, r1, r2              | r1=-7 r2=2                        | r0=0x7FFFFFFC
                    rem.s32 r0, r1, r2              | r1=-7 r2=2                        | r0=-1
                    rem.u64 x0, x1, x2              | x1=-1 x2=10                       | x0=5
                    min.s32 r0, r1, r2              | r1=-1 r2=1                        | r0=-1
                    min.u32 r0, r1, r2              | r1=-1 r2=1                        | r0=1
                    max.u64 x0, x1, x2              | x1=-1 x2=1                        | x0=-1
                    max.s16 h0, h1, h2              | h1=-1 h2=1                        | h0=1
                    abs.s32 r0, r1                  | r1=-2147483648                    | r0=-2147483648
                    abs.s16 h0, h1                  | h1=-5                             | h0=5
                    neg.s64 x0, x1                  | x1=5                              | x0=-5
                    and.b32 r0, r1, 0xFF00          | r1=0x12345678                     | r0=0x5600
                    or.b64 x0, x1, 0x4000004000010000 | x1=15                           | x0=0x400000400001000F
                    xor.b16 h0, h1, h2              | h1=0xFF00 h2=0x0FF0               | h0=0xF0F0
                    not.b32 r0, r1                  | r1=0                              | r0=-1
                    not.b16 h0, h1                  | h1=1                              | h0=0xFFFE
                    cnot.b32 r0, r1                 | r1=0                              | r0=1
                    cnot.b32 r0, r1                 | r1=7                              | r0=0
                    shl.b32 r0, r1, r2              | r1=1 r2=31                        | r0=0x80000000
                    shl.b32 r0, r1, r2              | r1=1 r2=32                        | r0=0
                    shl.b32 r0, r1, r2              | r1=1 r2=-1                        | r0=0
                    shl.b64 x0, x1, r2              | x1=1 r2=63                        | x0=0x8000000000000000
                    shl.b64 x0, x1, r2              | x1=1 r2=64                        | x0=0
                    shl.b16 h0, h1, r2              | h1=3 r2=15                        | h0=0x8000
                    shr.u32 r0, r1, r2              | r1=-1 r2=31                       | r0=1
                    shr.u32 r0, r1, r2              | r1=-1 r2=33                       | r0=0
                    shr.s32 r0, r1, r2              | r1=-2147483648 r2=200             | r0=-1
                    shr.s32 r0, r1, r2              | r1=2147483647 r2=200              | r0=0
                    shr.s64 x0, x1, r2              | x1=-8 r2=1                        | x0=-4
                    shr.u64 x0, x1, r2              | x1=-1 r2=64                       | x0=0
                    shr.s16 h0, h1, r2              | h1=0x8000 r2=4                    | h0=0xF800
                    shr.b32 r0, r1, 4               | r1=0xF0000000                     | r0=0x0F000000
                    shf.l.wrap.b32 r0, r1, r2, r3   | r1=0x80000001 r2=0xF r3=1         | r0=0x1F
                    shf.l.wrap.b32 r0, r1, r2, r3   | r1=1 r2=2 r3=32                   | r0=2
                    shf.l.clamp.b32 r0, r1, r2, r3  | r1=1 r2=2 r3=40                   | r0=1
                    shf.r.wrap.b32 r0, r1, r2, r3   | r1=0x80000001 r2=1 r3=1           | r0=0xC0000000
                    shf.r.clamp.b32 r0, r1, r2, r3  | r1=1 r2=2 r3=32                   | r0=2
                    lop3.b32 r0, r1, r2, r3, 0x96   | r1=0xFF00FF00 r2=0xF0F0F0F0 r3=0xCCCCCCCC | r0=0xC33CC33C
                    lop3.b32 r0, r1, r2, r3, 0x80   | r1=12 r2=10 r3=9                  | r0=8
                    lop3.b32 r0, r1, r2, r3, 0xE4   | r1=0x0F0F r2=0x00FF r3=0xFF00     | r0=0x0FFF
                    bfe.u32 r0, r1, r2, r3          | r1=0x12345678 r2=8 r3=8           | r0=0x56
                    bfe.u32 r0, r1, r2, r3          | r1=-1 r2=28 r3=8                  | r0=15
                    bfe.u32 r0, r1, r2, r3          | r1=-1 r2=40 r3=8                  | r0=0
                    bfe.u32 r0, r1, r2, r3          | r1=-1 r2=0 r3=0                   | r0=0
                    bfe.u32 r0, r1, r2, r3          | r1=-1 r2=0 r3=200                 | r0=-1
                    bfe.s32 r0, r1, r2, r3          | r1=0x80 r2=4 r3=4                 | r0=-8
                    bfe.s32 r0, r1, r2, r3          | r1=0x80000000 r2=31 r3=5          | r0=-1
                    bfe.s32 r0, r1, r2, r3          | r1=0x80000000 r2=60 r3=5          | r0=-1
                    bfe.s32 r0, r1, r2, r3          | r1=-1 r2=3 r3=0                   | r0=0
                    bfe.s64 x0, x1, r2, r3          | x1=0x100000000 r2=32 r3=1         | x0=-1
                    bfe.u64 x0, x1, r2, r3          | x1=-1 r2=60 r3=64                 | x0=15
                    bfi.b32 r0, r1, r2, r3, r4      | r1=0xAB r2=0x11111111 r3=8 r4=8   | r0=0x1111AB11
                    bfi.b32 r0, r1, r2, r3, r4      | r1=-1 r2=0 r3=28 r4=8             | r0=0xF0000000
                    bfi.b32 r0, r1, r2, r3, r4      | r1=-1 r2=5 r3=32 r4=8             | r0=5
                    bfi.b32 r0, r1, r2, r3, r4      | r1=-1 r2=5 r3=0 r4=0              | r0=5
                    bfi.b64 x0, x1, x2, r3, r4      | x1=-1 x2=0 r3=0 r4=64             | x0=-1
                    popc.b32 r0, r1                 | r1=-1                             | r0=32
                    popc.b64 r0, x1                 | x1=-1                             | r0=64
                    clz.b32 r0, r1                  | r1=0                              | r0=32
                    clz.b32 r0, r1                  | r1=1                              | r0=31
                    clz.b64 r0, x1                  | x1=1                              | r0=63
                    bfind.u32 r0, r1                | r1=0x00ff0000                     | r0=23
                    bfind.u32 r0, r1                | r1=0                              | r0=-1
                    bfind.shiftamt.u32 r0, r1       | r1=0x00ff0000                     | r0=8
                    bfind.shiftamt.u32 r0, r1       | r1=0                              | r0=-1
                    bfind.s32 r0, r1                | r1=-256                           | r0=7
                    bfind.s32 r0, r1                | r1=-1                             | r0=-1
                    bfind.u64 r0, x1                | x1=0x8000000000000000             | r0=63
                    bfind.shiftamt.s64 r0, x1       | x1=-2                             | r0=63
                    brev.b32 r0, r1                 | r1=1                              | r0=0x80000000
                    brev.b64 x0, x1                 | x1=3                              | x0=0xC000000000000000
                    prmt.b32 r0, r1, r2, 0x5410     | r1=0x33221100 r2=0x77665544       | r0=0x55441100
                    prmt.b32 r0, r1, r2, 0x7632     | r1=0x33221100 r2=0x77665544       | r0=0x77663322
                    prmt.b32 r0, r1, r2, 0x9A80     | r1=0x00FF7F80 r2=0                | r0=0x00FFFF80
                    prmt.b32.f4e r0, r1, r2, r3     | r1=0x33221100 r2=0x77665544 r3=1  | r0=0x44332211
                    prmt.b32.b4e r0, r1, r2, r3     | r1=0x33221100 r2=0x77665544 r3=1  | r0=0x66770011
                    prmt.b32.rc8 r0, r1, r2, r3     | r1=0x33221100 r2=0x77665544 r3=2  | r0=0x22222222
                    prmt.b32.ecl r0, r1, r2, r3     | r1=0x33221100 r2=0x77665544 r3=2  | r0=0x33222222
                    prmt.b32.ecr r0, r1, r2, r3     | r1=0x33221100 r2=0x77665544 r3=2  | r0=0x22221100
                    prmt.b32.rc16 r0, r1, r2, r3    | r1=0x33221100 r2=0x77665544 r3=3  | r0=0x33223322
                    dp4a.u32.u32 r0, r1, r2, r3     | r1=0x01020304 r2=0x05060708 r3=1  | r0=71
                    dp4a.s32.s32 r0, r1, r2, r3     | r1=-1 r2=0x01010101 r3=0          | r0=-4
                    dp4a.u32.s32 r0, r1, r2, r3     | r1=-1 r2=-1 r3=0                  | r0=-1020
                    dp4a.u32.u32 r0, r1, r2, r3     | r1=-1 r2=-1 r3=0                  | r0=260100
                    and.pred p0, p1, p2             | p1=1 p2=0                         | p0=0
                    and.pred p0, p1, !p2            | p1=1 p2=0                         | p0=1
                    xor.pred p0, p1, p2             | p1=1 p2=1                         | p0=0
                    or.pred p0, !p1, p2             | p1=1 p2=0                         | p0=0
                    not.pred p0, p1                 | p1=1                              | p0=0
                    mov.pred p0, 1                  | p1=0                              | p0=1
                    mov.b32 r0, 0f3F800000          | p1=0                              | r0=0x3F800000
                    mov.f32 f0, 1.5                 | p1=0                              | f0=1.5
                    mov.f32 f0, -0.1                | p1=0                              | f0=-0.1
                    mov.f64 g0, 0f3F800000          | p1=0                              | g0=1
                    mov.u64 x0, -1                  | p1=0                              | x0=-1
                    mov.b32 r0, {h1, h2}            | h1=0x1234 h2=0x8765               | r0=0x87651234
                    mov.b32 {h0, h1}, r2            | r2=0x87651234                     | h0=0x1234 h1=0x8765
                    mov.b64 x0, {r1, r2}            | r1=-1 r2=0x80000000               | x0=0x80000000FFFFFFFF
                    mov.b64 {r0, r1}, x2            | x2=0x80000000FFFFFFFE             | r0=0xFFFFFFFE r1=0x80000000
                    mov.b64 {_, r1}, x2             | x2=0x80000000FFFFFFFE             | r1=0x80000000
                    mov.b64 x0, {h1, h2, h3, h4}    | h1=1 h2=0xFFFF h3=3 h4=0x8000     | x0=0x80000003FFFF0001
                    mov.b64 {h0, h1, h2, h3}, x4    | x4=0x80000003FFFF0001             | h0=1 h1=-1 h2=3 h3=0x8000
                    """)
    void gives(String instruction, String before, String after) {
        check(instruction, before, after);
    }

    static void check(String instruction, String before, String after) {
        Snippet snippet = new Snippet(instruction + ";");
        for (String assignment : before.split(" +")) {
            String[] parts = assignment.split("=");
            snippet.set(parts[0], Snippet.bits(parts[0], parts[1]));
        }
        snippet.run();
        for (String assignment : after.split(" +")) {
            String[] parts = assignment.split("=");
            assertThat(snippet.get(parts[0]))
                    .as("%s: %s after %s", instruction, parts[0], before)
                    .containsOnly(Snippet.bits(parts[0], parts[1]));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"div.s32 r0, r1, r2", "rem.u32 r0, r1, r2", "div.u64 x0, x1, x2", "rem.s64 x0, x1, x2"})
    void refusesToDivideByZero(String instruction) {
        Snippet snippet = new Snippet(instruction + ";");
        for (String register : new String[] {"r1", "r2", "x1", "x2"}) {
            snippet.set(register, 1, 1, 1, 0, 1, 1, 1, 1);
        }
        assertThatThrownBy(snippet::run)
                .isInstanceOf(EmulatorFault.class)
                .hasMessageContaining("division by zero in lane 3");
        snippet.run(~0x08080808); // the others do not divide by zero
    }

    @Test
    void writesOnlyActiveLanes() {
        int lanes = 0x80000101;
        Snippet word =
                new Snippet("add.u32 r0, r1, 1;").set("r0", 7).set("r1", 1).run(lanes);
        Snippet twofold =
                new Snippet("add.u64 x0, x1, 1;").set("x0", 7).set("x1", 1).run(lanes);
        Snippet predicate =
                new Snippet("setp.eq.u32 p0, r1, 1;").set("p0", 0).set("r1", 1).run(lanes);
        for (int lane = 0; lane < 32; lane++) {
            boolean active = (lanes >>> lane & 1) != 0;
            assertThat(word.get("r0")[lane]).isEqualTo(active ? 2 : 7);
            assertThat(twofold.get("x0")[lane]).isEqualTo(active ? 2 : 7);
            assertThat(predicate.get("p0")[lane]).isEqualTo(active ? 1 : 0);
        }
    }

    @Test
    void definesWhatItWrites() {
        Snippet snippet = new Snippet("add.u32 r0, r1, 1;").set("r1", 1);
        assertThat(snippet.run(0xFF).defined("r0")).isEqualTo(0xFF);
        assertThat(snippet.run(0xF00).defined("r0")).isEqualTo(0xFFF);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "add.u32 r0, r1, r2 | r2",
                "mov.u32 r0, r1 | r1",
                "mad.wide.u32 x0, r1, r2, x3 | x3",
                "selp.f32 f0, f1, f2, p3 | p3",
                "mov.b32 r0, {h1, h2} | h2",
                "mov.b64 {r0, r1}, x2 | x2",
                "div.s32 r0, r1, r2 | r2",
                "setp.lt.and.f32 p0, f1, f2, p3 | f2"
            })
    void refusesToReadWhatWasNotWritten(String instruction, String register) {
        Snippet snippet = new Snippet(instruction + ";");
        for (String kind : new String[] {"r", "h", "x", "f", "p"}) {
            for (int i = 0; i < 4; i++) {
                snippet.set(kind + i, 1);
            }
        }
        snippet.define(register, ~(1 << 5));
        snippet.run(0xF00F);
        assertThatThrownBy(snippet::run)
                .isInstanceOfSatisfying(
                        EmulatorFault.class,
                        fault -> assertThat(fault.kind()).isEqualTo(EmulatorFault.Kind.UNDEFINED_REGISTER))
                .hasMessageContaining(register + " is read in lane 5");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "mov.b32 {f0, f1}, r2 | f0 is a .f32 where a register of type .b16 is needed",
                "mov.b32 {h0, h1, h2}, r3 | no vector of 3 elements makes a .b32",
                "add.rz.f32 f0, f1, f2 | .rz is not supported",
                "add.u32 r0, r1 | 3 operands are needed: got 2",
                "add.u32 r0, r1, x2 | x2 is a .b64 where a register of type .u32 is needed",
                "add.u32 r0, r1, h2 | h2 is a .b16",
                "add.u32 r0, r1, 0x1FFFFFFFF | does not fit into a .u32",
                "add.f32 f0, f1, 1 | 1 where a float is needed",
                "add.u32 5, r1, r2 | 5 where a register of type .u32 is needed",
                "add.u32 r0, r1, !p1 | !p1 where a value of type .u32 is needed",
                "add r0, r1, r2 | a type is needed",
                "mul.u32 r0, r1, r2 | one of .lo, .hi, .wide is needed",
                "and.u32 r0, r1, r2 | not with type .u32",
                "add.cc.u32 r0, r1, r2 | .cc is not supported",
                "ex2.f32 f0, f1 | .approx is needed",
                "setp.lt.pred p0, p1, p2 | not with type .pred",
                "cvt.s32.f32 r0, f1 | one of .rni, .rzi, .rmi, .rpi is needed",
                "cvt.rm.f32.f64 f0, g1 | rm"
            })
    void namesWhatItDoesNotSupport(String instruction, String why) {
        assertThatThrownBy(() -> new Snippet(instruction + ";"))
                .isInstanceOfSatisfying(EmulatorFault.class, fault -> {
                    assertThat(fault.kind()).isEqualTo(EmulatorFault.Kind.UNSUPPORTED);
                    assertThat(fault.line()).isEqualTo(6);
                })
                .hasMessageContaining(why)
                .hasMessageContaining("line 6: " + instruction.substring(0, instruction.indexOf(' ')));
    }

    @Test
    void countsFloatingPointOperations() {
        assertThat(new Snippet("fma.rn.f32 f0, f1, f2, f3;").operation().flops())
                .isEqualTo(2);
        assertThat(new Snippet("fma.rn.bf16x2 r0, r1, r2, r3;").operation().flops())
                .isEqualTo(4);
        assertThat(new Snippet("add.f64 g0, g1, g2;").operation().flops()).isEqualTo(1);
        assertThat(new Snippet("add.u32 r0, r1, r2;").operation().flops()).isZero();
        assertThat(new Snippet("ex2.approx.f32 f0, f1;").operation().specialFunction())
                .isTrue();
        assertThat(new Snippet("add.f32 f0, f1, f2;").operation().specialFunction())
                .isFalse();
    }
}
