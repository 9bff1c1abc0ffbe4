package org.quern.ptx.emulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxModule.Register;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.SpecialRegisters;
import org.quern.ptx.syntax.Statement.Instruction;

/// Where the operands of a kernel live in [Registers].
///
/// Slots for immediates, addresses and special registers come into being when an instruction that needs them is
/// decoded, so [#registers()] and [#specials()] are asked after that.
final class RegisterLayout {
    /// Takes what is not wanted.
    static final int SINK = 0;

    private final Map<String, PtxType> types = new HashMap<>();
    private final Map<String, Integer> slots = new HashMap<>();
    private final Map<String, Integer> specials = new LinkedHashMap<>();
    private final Map<String, Long> addresses;
    private final String kernel;

    /// By file, the names of its slots.
    private final Map<RegisterFile, List<String>> names = new EnumMap<>(RegisterFile.class);

    /// By file, slots of constants by value.
    private final Map<RegisterFile, Map<Long, Integer>> constants = new EnumMap<>(RegisterFile.class);

    /// Gives the declared registers slots.
    ///
    /// @param addresses of variables and parameters, for operands that name them
    RegisterLayout(Entry entry, Map<String, Long> addresses) {
        this.addresses = addresses;
        kernel = entry.name();
        for (RegisterFile file : RegisterFile.values()) {
            names.put(file, new ArrayList<>(List.of("_")));
            constants.put(file, new LinkedHashMap<>());
        }
        for (Register register : entry.registers()) {
            RegisterFile file = RegisterFile.of(register.type());
            if (file != null) {
                slots.put(register.name(), add(file, register.name()));
            }
            types.put(register.name(), register.type());
        }
    }

    private int add(RegisterFile file, String name) {
        names.get(file).add(name);
        return names.get(file).size() - 1;
    }

    /// The slot of a value that an instruction reads: a register of exactly this size, a constant or an address.
    ///
    /// @throws EmulatorFault if the operand is something else
    int source(Instruction instruction, Operand operand, PtxType type) {
        return switch (operand) {
            case Operand.Register register when !register.negated() -> register(instruction, register.name(), type);
            case Operand.Immediate immediate -> constant(type, bits(instruction, immediate, type));
            case Operand.Symbol symbol
            when addresses.containsKey(symbol.name()) && type.bytes() >= 4 ->
                constant(type, addresses.get(symbol.name()) + symbol.offset());
            default -> throw mismatch(instruction, operand, "a value of type ." + type.text());
        };
    }

    /// The slot of a register that an instruction writes, [#SINK] for `_`.
    ///
    /// @throws EmulatorFault if the operand is something else
    int destination(Instruction instruction, Operand operand, PtxType type) {
        return switch (operand) {
            case Operand.Sink _ -> SINK;
            case Operand.Register register
            when !register.negated() && SpecialRegisters.type(register.name()) == null ->
                register(instruction, register.name(), type);
            default -> throw mismatch(instruction, operand, "a register of type ." + type.text());
        };
    }

    /// The slot of a predicate that an instruction reads; whether it is [#negated] is for the caller to heed.
    int predicate(Instruction instruction, Operand operand) {
        return operand instanceof Operand.Register register
                ? register(instruction, register.name(), PtxType.PRED)
                : source(instruction, operand, PtxType.PRED);
    }

    static boolean negated(Operand operand) {
        return operand instanceof Operand.Register register && register.negated();
    }

    /// The slot of the guard of an instruction that has one.
    int guard(Instruction instruction) {
        return register(instruction, instruction.guard(), PtxType.PRED);
    }

    /// The type that a register was declared with, for instructions that take wider registers than their type; null
    /// if the operand is no register.
    PtxType declaredType(Operand operand) {
        if (!(operand instanceof Operand.Register register)) {
            return null;
        }
        PtxType special = SpecialRegisters.type(register.name());
        return special == null ? types.get(register.name()) : special;
    }

    private int register(Instruction instruction, String name, PtxType type) {
        PtxType special = SpecialRegisters.type(name);
        PtxType declared = special == null ? types.get(name) : special;
        if (declared.bytes() != type.bytes()) {
            throw unsupported(
                    instruction,
                    "%s is a .%s where a register of type .%s is needed".formatted(name, declared.text(), type.text()));
        }
        return special == null
                ? slots.get(name)
                : specials.computeIfAbsent(name, n -> add(RegisterFile.of(special), n));
    }

    private int constant(PtxType type, long bits) {
        RegisterFile file = RegisterFile.of(type);
        return constants.get(file).computeIfAbsent(bits, b -> add(file, Long.toString(b)));
    }

    /// The bits of an immediate as a value of a type: floats change their width, integers must fit.
    private long bits(Instruction instruction, Operand.Immediate immediate, PtxType type) {
        long bits = immediate.bits();
        if (immediate.kind() != Operand.Immediate.Kind.INTEGER) {
            boolean single = immediate.kind() == Operand.Immediate.Kind.FLOAT32;
            double value = single ? Float.intBitsToFloat((int) bits) : Double.longBitsToDouble(bits);
            if (single && type == PtxType.B32) {
                return bits;
            }
            return switch (type) {
                case F32 -> Float.floatToRawIntBits((float) value);
                case F64 -> Double.doubleToRawLongBits(value);
                default -> throw mismatch(instruction, immediate, "a value of type ." + type.text());
            };
        }
        return switch (type) {
            case PRED -> bits == 0 ? 0 : 1;
            case F16, BF16, TF32, F32, F64 -> throw mismatch(instruction, immediate, "a float");
            default -> {
                if (type.bytes() > Long.BYTES || !type.holds(bits)) {
                    throw unsupported(instruction, "%d does not fit into a .%s".formatted(bits, type.text()));
                }
                int unused = Long.SIZE - 8 * type.bytes();
                yield bits << unused >>> unused;
            }
        };
    }

    /// The slot of a declared register of up to 32 bits; -1 if it is of another kind.
    int word(String name) {
        PtxType type = types.get(name);
        return type != null && RegisterFile.of(type) == RegisterFile.WORDS ? slots.get(name) : -1;
    }

    /// Special registers that the kernel reads, with their slots. Whoever makes a warp sets them.
    Map<String, Integer> specials() {
        return Collections.unmodifiableMap(specials);
    }

    /// Of one warp: constants and addresses set, all else undefined.
    Registers registers() {
        Registers registers = new Registers(
                this,
                names.get(RegisterFile.WORDS).size(),
                names.get(RegisterFile.LONGS).size(),
                names.get(RegisterFile.PREDICATES).size());
        constants.get(RegisterFile.WORDS).forEach((bits, slot) -> {
            Arrays.fill(registers.words, slot * 32, slot * 32 + 32, (int) (long) bits);
            registers.wordsDefined[slot] = -1;
        });
        constants.get(RegisterFile.LONGS).forEach((bits, slot) -> {
            Arrays.fill(registers.longs, slot * 32, slot * 32 + 32, bits);
            registers.longsDefined[slot] = -1;
        });
        constants.get(RegisterFile.PREDICATES).forEach((bits, slot) -> {
            registers.predicates[slot] = bits == 0 ? 0 : -1;
            registers.predicatesDefined[slot] = -1;
        });
        return registers;
    }

    /// What the text calls a slot.
    String name(RegisterFile file, int slot) {
        return names.get(file).get(slot);
    }

    EmulatorFault mismatch(Instruction instruction, Operand operand, String expected) {
        return unsupported(instruction, "%s where %s is needed".formatted(Listing.of(operand), expected));
    }

    /// The error for an instruction that the emulator does not run.
    EmulatorFault unsupported(Instruction instruction, String why) {
        return new EmulatorFault(
                EmulatorFault.Kind.UNSUPPORTED,
                instruction.line(),
                "%s, line %d: %s: %s".formatted(kernel, instruction.line(), instruction.mnemonic(), why));
    }
}
