package org.quern.ptx.emulator;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;

/// `mov`: copies, packs a vector into a register, or unpacks a register into a vector.
final class Moves {
    private Moves() {}

    static Operation mov(Form form) {
        PtxType type = form.takeType();
        if (form.operands() == 2 && form.operand(1) instanceof Operand.Vector(List<Operand> elements)) {
            return pack(form, type, elements);
        }
        if (form.operands() == 2 && form.operand(0) instanceof Operand.Vector(List<Operand> elements)) {
            return unpack(form, type, elements);
        }
        if (type == PtxType.B128) {
            throw form.unsupported("128 bits are too many");
        }
        return form.operation((a, _, _, _) -> a, type, type);
    }

    private static Operation pack(Form form, PtxType type, List<Operand> elements) {
        PtxType part = part(form, type, elements);
        int width = 8 * part.bytes();
        return form.operation(
                "",
                (a, b, c, d) -> a | b << width | (elements.size() > 2 ? c << 2 * width | d << 3 * width : 0),
                form.operand(0),
                type,
                elements,
                Collections.nCopies(elements.size(), part));
    }

    private static Operation unpack(Form form, PtxType type, List<Operand> elements) {
        PtxType part = part(form, type, elements);
        List<Operation> operations = new ArrayList<>();
        for (int i = 0; i < elements.size(); i++) {
            int shift = 8 * part.bytes() * i;
            operations.add(form.operation(
                    "[" + i + "]",
                    (a, _, _, _) -> a >>> shift,
                    elements.get(i),
                    part,
                    List.of(form.operand(1)),
                    List.of(type)));
        }
        return (warp, mask) -> {
            for (Operation operation : operations) {
                operation.execute(warp, mask);
            }
        };
    }

    /// The type of an element: bits.
    private static PtxType part(Form form, PtxType type, List<Operand> elements) {
        String shape = type.text() + "/" + elements.size();
        return switch (shape) {
            case "b16/2", "b32/4" -> PtxType.B8;
            case "b32/2", "b64/4" -> PtxType.B16;
            case "b64/2" -> PtxType.B32;
            default ->
                throw form.unsupported("no vector of %d elements makes a .%s".formatted(elements.size(), type.text()));
        };
    }
}
