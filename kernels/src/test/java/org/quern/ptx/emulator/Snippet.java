package org.quern.ptx.emulator;

import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxParser;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// One instruction on a warp of its own. There are eight registers of each kind: `r` of 32 bits, `h` of 16, `x` of
/// 64, `f` for `f32`, `g` for `f64` and `p` for predicates; `r0` to `r7` and so on.
final class Snippet {
    private static final String KERNEL = """
            .version 8.0
            .target sm_90
            .address_size 64
            .visible .entry snippet()
            { .reg .b32 r<8>; .reg .b16 h<8>; .reg .b64 x<8>; .reg .f32 f<8>; .reg .f64 g<8>; .reg .pred p<8>;
            %s
            }
            """;

    private final Instruction instruction;
    private final RegisterLayout layout;
    private final Operation operation;
    private final Warp warp;

    Snippet(String text) {
        PtxModule module = PtxParser.parse(KERNEL.formatted(text));
        Program program = new Program(module, module.entries().getFirst(), new ModuleVariables(module, null), 0);
        Execution execution = new Execution(
                program,
                Options.DEFAULT,
                new LaunchConfiguration(Dim.of(1), Dim.of(32), 0),
                null,
                null,
                1,
                new SplittableRandom(1),
                Optional.empty(),
                null);
        instruction = program.instructions[0];
        layout = program.layout;
        operation = program.operations[0];
        warp = new Cluster(execution, new SharedMemory[1]).warps[0];
    }

    Operation operation() {
        return operation;
    }

    /// Sets a register in all lanes; fewer values than lanes are repeated.
    Snippet set(String register, long... values) {
        Registers registers = warp.registers;
        int slot = slot(register);
        for (int lane = 0; lane < 32; lane++) {
            long value = values[lane % values.length];
            switch (RegisterFile.of(type(register))) {
                case WORDS -> registers.words[slot * 32 + lane] = (int) (value & mask(register));
                case LONGS -> registers.longs[slot * 32 + lane] = value;
                case PREDICATES ->
                    registers.predicates[slot] = registers.predicates[slot] & ~(1 << lane) | (int) (value & 1) << lane;
            }
        }
        define(register, -1);
        return this;
    }

    /// Says in which lanes a register holds something.
    Snippet define(String register, int lanes) {
        Registers registers = warp.registers;
        int slot = slot(register);
        switch (RegisterFile.of(type(register))) {
            case WORDS -> registers.wordsDefined[slot] = lanes;
            case LONGS -> registers.longsDefined[slot] = lanes;
            case PREDICATES -> registers.predicatesDefined[slot] = lanes;
        }
        return this;
    }

    Snippet run() {
        return run(-1);
    }

    Snippet run(int lanes) {
        operation.execute(warp, lanes);
        return this;
    }

    /// The bits of a register by lane, above zeros.
    long[] get(String register) {
        Registers registers = warp.registers;
        int slot = slot(register);
        long[] values = new long[32];
        Arrays.setAll(values, lane -> switch (RegisterFile.of(type(register))) {
            case WORDS -> Integer.toUnsignedLong(registers.words[slot * 32 + lane]);
            case LONGS -> registers.longs[slot * 32 + lane];
            case PREDICATES -> registers.predicates[slot] >>> lane & 1;
        });
        return values;
    }

    /// The lanes in which a register holds something.
    int defined(String register) {
        Registers registers = warp.registers;
        int slot = slot(register);
        return switch (RegisterFile.of(type(register))) {
            case WORDS -> registers.wordsDefined[slot];
            case LONGS -> registers.longsDefined[slot];
            case PREDICATES -> registers.predicatesDefined[slot];
        };
    }

    /// The bits that a literal stands for: `-1`, `0xFF`, or for `f` and `g` a float (`1.5`, `NaN`) unless it begins
    /// with `0x`.
    static long bits(String register, String literal) {
        PtxType type = type(register);
        if (literal.startsWith("0x")) {
            return Long.parseUnsignedLong(literal.substring(2), 16);
        }
        return switch (type) {
            case F32 -> Integer.toUnsignedLong(Float.floatToIntBits(Float.parseFloat(literal)));
            case F64 -> Double.doubleToLongBits(Double.parseDouble(literal));
            default -> Long.parseLong(literal) & mask(register);
        };
    }

    private static long mask(String register) {
        int unused = Long.SIZE - 8 * type(register).bytes();
        return type(register) == PtxType.PRED ? 1 : -1L >>> unused;
    }

    private static PtxType type(String register) {
        return switch (register.charAt(0)) {
            case 'r' -> PtxType.B32;
            case 'h' -> PtxType.B16;
            case 'x' -> PtxType.B64;
            case 'f' -> PtxType.F32;
            case 'g' -> PtxType.F64;
            default -> PtxType.PRED;
        };
    }

    private int slot(String register) {
        return layout.source(instruction, new Operand.Register(register, false), type(register));
    }
}
