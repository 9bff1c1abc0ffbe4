package org.quern.ptx.emulator;

import java.util.List;
import java.util.stream.Collectors;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.Statement.Instruction;

/// Instructions as text, for messages.
final class Listing {
    private Listing() {}

    static String of(Instruction instruction) {
        String guard = instruction.guard() == null
                ? ""
                : "@" + (instruction.guardNegated() ? "!" : "") + instruction.guard() + " ";
        String operands = all(instruction.operands());
        return guard + instruction.mnemonic() + (operands.isEmpty() ? "" : " " + operands);
    }

    private static String all(List<Operand> operands) {
        return operands.stream().map(Listing::of).collect(Collectors.joining(", "));
    }

    static String of(Operand operand) {
        return switch (operand) {
            case Operand.Register register -> (register.negated() ? "!" : "") + register.name();
            case Operand.Immediate immediate ->
                switch (immediate.kind()) {
                    case INTEGER -> Long.toString(immediate.bits());
                    case FLOAT32 -> "0f%08X".formatted((int) immediate.bits());
                    case FLOAT64 -> "0d%016X".formatted(immediate.bits());
                };
            case Operand.Symbol symbol -> symbol.name() + offset(symbol.offset());
            case Operand.Address address ->
                "["
                        + of(address.base())
                        + offset(address.offset())
                        + (address.coordinates().isEmpty() ? "" : ", {" + all(address.coordinates()) + "}")
                        + "]";
            case Operand.Vector vector -> "{" + all(vector.elements()) + "}";
            case Operand.Pair pair -> of(pair.first()) + "|" + of(pair.second());
            case Operand.Sink _ -> "_";
        };
    }

    private static String offset(long offset) {
        return offset == 0 ? "" : "%+d".formatted(offset);
    }
}
