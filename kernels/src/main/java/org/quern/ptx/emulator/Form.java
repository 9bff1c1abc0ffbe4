package org.quern.ptx.emulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// An instruction while it is decoded: modifiers are taken one by one, so that those nobody knows remain.
final class Form {
    private final Instruction instruction;
    private final RegisterLayout layout;
    private final List<String> modifiers;
    private int flops;
    private boolean specialFunction;

    Form(Instruction instruction, RegisterLayout layout) {
        this.instruction = instruction;
        this.layout = layout;
        modifiers = new ArrayList<>(instruction.modifiers());
    }

    String opcode() {
        return instruction.opcode();
    }

    /// Whether there is this modifier; it counts as known from now on.
    boolean take(String modifier) {
        return modifiers.remove(modifier);
    }

    /// The first of these modifiers that is there, or null.
    String takeAny(String... known) {
        for (String modifier : known) {
            if (take(modifier)) {
                return modifier;
            }
        }
        return null;
    }

    /// The type at the end of the modifiers.
    PtxType takeType() {
        if (!modifiers.isEmpty()) {
            String text = modifiers.removeLast();
            for (PtxType type : PtxType.values()) {
                if (type.text().equals(text)) {
                    return type;
                }
            }
        }
        throw unsupported("a type is needed at its end");
    }

    Operand operand(int index) {
        if (index >= instruction.operands().size()) {
            throw unsupported("operand %d is missing".formatted(index + 1));
        }
        return instruction.operands().get(index);
    }

    int operands() {
        return instruction.operands().size();
    }

    PtxType declaredType(Operand operand) {
        return layout.declaredType(operand);
    }

    /// Counts this many floating-point operations a lane.
    Form flops(int count) {
        flops = count;
        return this;
    }

    /// Counts an operation for the special function unit.
    Form special() {
        flops = 1;
        specialFunction = true;
        return this;
    }

    /// The operation on operands in the order of the text: the result, then one source for each type.
    LaneOperation operation(LaneFunction function, PtxType result, PtxType... sources) {
        if (operands() != 1 + sources.length) {
            throw unsupported("%d operands are needed: got %d".formatted(1 + sources.length, operands()));
        }
        return operation(
                "", function, operand(0), result, instruction.operands().subList(1, operands()), List.of(sources));
    }

    /// The operation on the operands given; all modifiers must have been taken.
    ///
    /// @param part tells functions of the same instruction apart
    LaneOperation operation(
            String part,
            LaneFunction function,
            Operand destination,
            PtxType result,
            List<Operand> operands,
            List<PtxType> types) {
        if (!modifiers.isEmpty()) {
            throw unsupported("." + modifiers.getFirst() + " is not supported here");
        }
        int[] slots = new int[types.size()];
        int negated = 0;
        for (int i = 0; i < slots.length; i++) {
            if (types.get(i) == PtxType.PRED) {
                slots[i] = layout.predicate(instruction, operands.get(i));
                negated |= RegisterLayout.negated(operands.get(i)) ? 1 << i : 0;
            } else {
                slots[i] = layout.source(instruction, operands.get(i), types.get(i));
            }
        }
        String name = instruction.mnemonic() + part + (negated == 0 ? "" : "!" + negated);
        return new LaneOperation(
                LaneLoop.of(name, negated == 0 ? function : negate(function, negated), result, types),
                result,
                layout.destination(instruction, destination, result),
                types,
                slots,
                flops,
                specialFunction);
    }

    /// Predicate sources are negated where `which` has a bit.
    private static LaneFunction negate(LaneFunction function, int which) {
        return (a, b, c, d) -> function.of(a ^ which & 1, b ^ which >> 1 & 1, c ^ which >> 2 & 1, d ^ which >> 3 & 1);
    }

    EmulatorFault unsupported(String why) {
        return layout.unsupported(instruction, why);
    }

    static PtxType type(String text) {
        return PtxType.valueOf(text.toUpperCase(Locale.ROOT));
    }
}
