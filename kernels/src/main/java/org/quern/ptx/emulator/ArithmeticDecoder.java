package org.quern.ptx.emulator;

import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes instructions that compute registers from registers, lane by lane.
final class ArithmeticDecoder {
    private ArithmeticDecoder() {}

    /// The operation; null if the opcode is not one of these.
    ///
    /// @throws EmulatorFault if it is, but with modifiers or operands that the emulator does not know
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        Form form = new Form(instruction, layout);
        return switch (instruction.opcode()) {
            case "mov" -> Moves.mov(form);
            case "cvt" -> Conversions.cvt(form);
            case "setp" -> Comparisons.setp(form);
            case "set" -> Comparisons.set(form);
            case "selp" -> Comparisons.selp(form);
            case "slct" -> Comparisons.slct(form);
            case "testp" -> Comparisons.testp(form);
            case "prmt" -> Integers.prmt(form);
            case "dp4a" -> Integers.dp4a(form);
            case "add", "sub", "mul", "mad", "fma", "div", "min", "max", "abs", "neg" -> {
                PtxType type = form.takeType();
                yield switch (type) {
                    case F32 -> Floats.single(form);
                    case F64 -> Floats.twofold(form);
                    case BF16, BF16X2 -> BrainFloats.decode(form, type);
                    default -> Integers.arithmetic(form, type);
                };
            }
            case "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh", "copysign" -> {
                PtxType type = form.takeType();
                yield switch (type) {
                    case F32 -> Floats.single(form);
                    case F64 -> Floats.twofold(form);
                    case BF16, BF16X2 -> BrainFloats.decode(form, type);
                    default -> throw form.unsupported("a float type is needed");
                };
            }
            case "rem",
                    "and",
                    "or",
                    "xor",
                    "not",
                    "cnot",
                    "shl",
                    "shr",
                    "shf",
                    "lop3",
                    "bfe",
                    "bfi",
                    "popc",
                    "clz",
                    "bfind",
                    "brev" -> Integers.arithmetic(form, form.takeType());
            default -> null;
        };
    }
}
