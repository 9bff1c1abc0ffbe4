package org.quern.ptx.syntax;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.ptx.syntax.Operand.Immediate;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.Statement.Instruction;

class PtxParserTest {
    private static final String HEAD = ".version 7.4\n.target sm_80\n.address_size 64\n";

    /// A kernel with shapes from all over the language.
    private static final String SAMPLE = """
            // A file of its own.
            .version 8.0
            .target sm_90a, debug
            .address_size 64
            .extern .shared .align 1024 .b8 dynamic[];
            .global .align 8 .b32 table[6] = {1, 0x10, -1, 07};
            .const .f32 half = 0.5;
            .visible .entry scale(
                .param .u64 .ptr .global .align 16 out, /* where
                                                           to */
                .param .align 64 .b8 map[128],
                .param .f32 factor
            )
            .maxntid 128, 1, 1
            .minnctapersm 2
            .explicitcluster
            .reqnctapercluster 2,1,1
            {
                .pragma "nounroll";
                .reg .pred p, q, %done;
                .reg .b32 r<4>, lane;
                .reg .b64 address; .reg .f32 value;
                .shared .align 16 .b8 tile[2][64], flag[4];
                .local .b32 stack[4];
                mov.u32 lane, %laneid; ld.param.u64 address, [out];
                { .reg .b32 r0; mov.u32 r0, 7; bra inner; inner: add.u32 r1, r0, WARP_SZ; }
                { .reg .b32 r0; mov.u32 r0, tile+16; bra inner; inner: }
            again:
                @!p ld.global.nc.L1::no_allocate.v2.f32 {value, _}, [address+-8];
                setp.lt.and.f32 p|q, value, 0f3F800000, !%done;
                mbarrier.try_wait.parity.shared::cta.b64 p, [dynamic+8], r1;
                cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [r0], [map, {r1, r2}], [r3];
                shfl.sync.bfly.b32 r0|p, r1, 16, 31, -1;
                elect.sync _|p, 0xffffffff;
                st.global.f32 [address], 1.5;
                brx.idx lane, choices;
                choices: .branchtargets again, end;
                @q bra.uni again;
            end:
                ret;
            }
            """;

    private static Entry entry(String body) {
        return PtxParser.parse(HEAD + ".visible .entry k(.param .u64 a)\n{\n" + body + "\n}\n")
                .entries()
                .getFirst();
    }

    private static Instruction instruction(String text) {
        Entry entry = entry(".reg .pred p; .reg .b32 r<4>; .reg .b64 x; .shared .b8 tile[8];\n" + text);
        return (Instruction) entry.body().getFirst();
    }

    private static Operand.Register register(String name) {
        return new Operand.Register(name, false);
    }

    @Test
    void readsModule() {
        PtxModule module = PtxParser.parse(SAMPLE);
        assertThat(module.version()).isEqualTo("8.0");
        assertThat(module.target()).isEqualTo("sm_90a");
        assertThat(module.variables()).extracting(PtxModule.Variable::name).containsExactly("dynamic", "table", "half");
        PtxModule.Variable table = module.variables().get(1);
        assertThat(table.space()).isEqualTo(StateSpace.GLOBAL);
        assertThat(table.bytes()).isEqualTo(24);
        assertThat(table.alignment()).isEqualTo(8);
        assertThat(table.initial()).containsExactly(1, 0, 0, 0, 16, 0, 0, 0, -1, -1, -1, -1, 7, 0, 0, 0);
        assertThat(module.variables().get(2).initial()).containsExactly(0, 0, 0, 0x3F);
        assertThat(module.variables().getFirst().bytes()).isZero();
    }

    @Test
    void readsEntry() {
        Entry entry = PtxParser.parse(SAMPLE).entries().getFirst();
        assertThat(entry.name()).isEqualTo("scale");
        assertThat(entry.line()).isEqualTo(8);
        assertThat(entry.parameters())
                .containsExactly(
                        new PtxModule.Parameter("out", PtxType.U64, 8, 8),
                        new PtxModule.Parameter("map", PtxType.B8, 128, 64),
                        new PtxModule.Parameter("factor", PtxType.F32, 4, 4));
        assertThat(entry.directives())
                .containsEntry("maxntid", List.of(128, 1, 1))
                .containsEntry("minnctapersm", List.of(2))
                .containsEntry("explicitcluster", List.of())
                .containsEntry("reqnctapercluster", List.of(2, 1, 1));
        assertThat(entry.variables()).extracting(PtxModule.Variable::bytes).containsExactly(128L, 4L, 16L);
        assertThat(entry.registers())
                .extracting(PtxModule.Register::name)
                .containsExactly("p", "q", "%done", "r0", "r1", "r2", "r3", "lane", "address", "value", "r0#2", "r0#3");
        assertThat(entry.body()).contains(new Statement.Label("inner#2", 27), new Statement.Label("end", 39));
        assertThat(entry.body()).contains(new Statement.BranchTargets("choices", List.of("again", "end"), 37));
    }

    @Test
    void innerDeclarationsHideOuterOnes() {
        List<Statement> body = PtxParser.parse(SAMPLE).entries().getFirst().body();
        assertThat(body)
                .contains(
                        new Instruction(
                                null,
                                false,
                                "mov",
                                List.of("u32"),
                                List.of(register("r0#2"), new Immediate(7, Immediate.Kind.INTEGER)),
                                26),
                        new Instruction(
                                null,
                                false,
                                "mov",
                                List.of("u32"),
                                List.of(register("r0#3"), new Operand.Symbol("tile", 16)),
                                27));
    }

    @Test
    void readsGuardAndModifiers() {
        Instruction load = instruction("@!p ld.global.L1::no_allocate.v2.b32 {r0, _}, [x+-8];");
        assertThat(load.guard()).isEqualTo("p");
        assertThat(load.guardNegated()).isTrue();
        assertThat(load.mnemonic()).isEqualTo("ld.global.L1::no_allocate.v2.b32");
        assertThat(load.has("v2")).isTrue();
        assertThat(load.operands())
                .containsExactly(
                        new Operand.Vector(List.of(register("r0"), new Operand.Sink())),
                        new Operand.Address(register("x"), -8, List.of()));
    }

    @Test
    void readsPairsNegationsAndCoordinates() {
        assertThat(instruction("setp.eq.and.u32 p|_, r0, %tid.x, !p;").operands())
                .containsExactly(
                        new Operand.Pair(register("p"), new Operand.Sink()),
                        register("r0"),
                        register("%tid.x"),
                        new Operand.Register("p", true));
        assertThat(instruction("copy [tile+4], [a, {r1, 0}];").operands())
                .containsExactly(
                        new Operand.Address(new Operand.Symbol("tile", 0), 4, List.of()),
                        new Operand.Address(
                                new Operand.Symbol("a", 0),
                                0,
                                List.of(register("r1"), new Immediate(0, Immediate.Kind.INTEGER))));
    }

    @ParameterizedTest
    @CsvSource({
        "0, INTEGER, 0",
        "42, INTEGER, 42",
        "-1, INTEGER, -1",
        "4294967295U, INTEGER, 4294967295",
        "0x5410, INTEGER, 21520",
        "0xFFFFFFFFFFFFFFFF, INTEGER, -1",
        "18446744073709551615, INTEGER, -1",
        "017, INTEGER, 15",
        "0b101, INTEGER, 5",
        "0f3F800000, FLOAT32, 1065353216",
        "0FFF800000, FLOAT32, 4286578688",
        "-0f3F800000, FLOAT32, 3212836864",
        "0d3FF0000000000000, FLOAT64, 4607182418800017408",
        "1.0, FLOAT64, 4607182418800017408",
        "-2.5e-1, FLOAT64, -4625196817309499392",
        "1e0, FLOAT64, 4607182418800017408"
    })
    void readsImmediates(String text, Immediate.Kind kind, long bits) {
        assertThat(instruction("mov.b32 r0, " + text + ";").operands().get(1)).isEqualTo(new Immediate(bits, kind));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "mov.u32 r0, r9; | 7 | 13 | declared register, variable, parameter or label, found 'r9'",
                "mov.u32 r0 r1; | 7 | 12 | ';', found 'r1'",
                "mov.u32 r0, ; | 7 | 13 | an operand, found ';'",
                "bra nowhere; | 7 | 5 | found 'nowhere'",
                "@7 ret; | 7 | 2 | a predicate register, found '7'",
                "x: ret; | 6 | 17 | other than those of line 7",
                "L: L: ret; | 7 | 4 | other than those of line 7",
                ".reg .b32 r2; | 7 | 11 | other than those of line 6",
                ".reg .b33 y; | 7 | 6 | a type, found '.b33'",
                ".reg .b32 y<0>; | 7 | 13 | a size of 1 to 65536, found '0'",
                ".reg .b32 %tid.x; | 7 | 11 | a name that PTX does not define",
                ".reg .b32 _; | 7 | 11 | a name that PTX does not define",
                ".shared .align 3 .b8 y[4]; | 7 | 16 | a power of two",
                ".shared .b8 y[]; | 7 | 13 | a variable with a size",
                ".shared .pred y; | 7 | 9 | a type of 1 to 8 bytes",
                ".shared .b32 y[1] = {1, 2}; | 7 | 25 | at most 1 values",
                "mov.u32 %foo, r0; | 7 | 9 | found '%foo'",
                "mov.u32 r0, 09; | 7 | 13 | an operand, found '09'",
                "mov.u32 r0, 99999999999999999999; | 7 | 13 | an integer of at most 64 bits",
                "mov.u32 r0, 0f3F80; | 7 | 13 | a PTX token",
                "ld.u32 r0, [x; | 7 | 14 | ']', found ';'",
                "mov.u32 r0, \"text\"; | 7 | 13 | an operand",
                ".branchtargets x; | 7 | 1 | a statement",
                "mov.u32 r0, #; | 7 | 13 | a PTX token, found '#'"
            })
    void namesPlaceAndExpectation(String body, int line, int column, String message) {
        String text = HEAD + ".entry k()\n{\n.reg .b32 r<4>, x;\n" + body + "\n}\n";
        assertThatThrownBy(() -> PtxParser.parse(text))
                .isInstanceOfSatisfying(PtxSyntaxException.class, e -> {
                    assertThat(e.line()).isEqualTo(line);
                    assertThat(e.column()).isEqualTo(column);
                })
                .hasMessageContaining("line " + line + ", column " + column)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`` | '.version', found the end",
                ".version x | a version, found 'x'",
                ".version 7.4 .target x .address_size 64 | an architecture such as sm_80, found 'x'",
                ".version 7.4 .target sm_80 .address_size 32 | '64', found '32'",
                ".version 7.4 .target sm_80 .address_size 64 .func f | an .entry or a variable, found '.func'",
                ".version 7.4 .target sm_80 .address_size 64 .entry k() { ret; | found the end",
                ".version 7.4 .target sm_80 .address_size 64 .entry k() .fast {} | a performance directive or '{'",
                ".version 7.4 .target sm_80 .address_size 64 .entry k() {} .entry k() {} | other than those of line 1"
            })
    void namesWhatAModuleNeeds(String text, String message) {
        assertThatThrownBy(() -> PtxParser.parse(text))
                .isInstanceOf(PtxSyntaxException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "["})
    void refusesDeepNesting(String opening) {
        assertThatThrownBy(() -> entry(opening.repeat(100_000))).isInstanceOf(PtxSyntaxException.class);
    }

    @Test
    void brokenTextGivesNothingButSyntaxErrors() {
        Random random = new Random(1);
        String alphabet = "{}[]()<>,;:.@!|=+-_%\"/* \n0x9frRpL$#\u00e9";
        int read = 0;
        for (int i = 0; i < 5_000; i++) {
            StringBuilder text = new StringBuilder(SAMPLE);
            for (int change = random.nextInt(4); change >= 0; change--) {
                int at = random.nextInt(text.length());
                int end = Math.min(at + random.nextInt(6), text.length());
                switch (random.nextInt(3)) {
                    case 0 -> text.insert(at, alphabet.charAt(random.nextInt(alphabet.length())));
                    case 1 -> text.delete(at, end);
                    default -> text.insert(random.nextInt(text.length()), text.substring(at, end));
                }
            }
            try {
                PtxParser.parse(text.toString());
                read++;
            } catch (PtxSyntaxException e) {
                assertThat(e.line()).isPositive();
                assertThat(e.column()).isPositive();
            }
        }
        assertThat(read).isPositive();
    }
}
