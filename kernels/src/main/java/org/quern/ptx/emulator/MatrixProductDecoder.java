package org.quern.ptx.emulator;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes `wgmma`.
final class MatrixProductDecoder {
    private static final Pattern SHAPE = Pattern.compile("m64n(\\d+)k(\\d+)");

    private MatrixProductDecoder() {}

    /// The operation; null if it is none of these.
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        if (!instruction.opcode().equals("wgmma")) {
            return null;
        }
        List<String> modifiers = instruction.modifiers();
        boolean aligned = modifiers.size() >= 3 && modifiers.subList(1, 3).equals(List.of("sync", "aligned"));
        Decoder.require(instruction, layout, instruction.operands().size(), aligned);
        return switch (modifiers.getFirst()) {
            case "fence" ->
                (warp, mask) -> {
                    if (MatrixLoad.isFull(warp, mask)) {
                        warp.products.fence();
                    }
                };
            case "commit_group" ->
                (warp, mask) -> {
                    if (MatrixLoad.isFull(warp, mask)) {
                        warp.products.commit();
                    }
                };
            case "wait_group" -> await(instruction, layout);
            case "mma_async" -> product(instruction, layout);
            default -> throw layout.unsupported(instruction, "the emulator does not know this form");
        };
    }

    private static Operation await(Instruction instruction, RegisterLayout layout) {
        if (!(Decoder.operand(instruction, 0) instanceof Operand.Immediate groups)
                || groups.bits() < 0
                || groups.bits() > 7) {
            throw layout.mismatch(instruction, instruction.operands().getFirst(), "a number of groups from 0 to 7");
        }
        int open = (int) groups.bits();
        return (warp, mask) -> {
            if (MatrixLoad.isFull(warp, mask) && !warp.products.await(open)) {
                warp.pollAgain();
                warp.block.cluster.polled(warp, "the products that other warps of its warpgroup have yet to issue");
            }
        };
    }

    private static Operation product(Instruction instruction, RegisterLayout layout) {
        List<String> modifiers = instruction.modifiers();
        List<Operand> operands = instruction.operands();
        Matcher shape = SHAPE.matcher(modifiers.size() == 7 ? modifiers.get(3) : "");
        MatrixProduct.Element a = element(modifiers.get(modifiers.size() - 2));
        MatrixProduct.Element b = element(modifiers.getLast());
        boolean known = shape.matches()
                && modifiers.get(4).equals("f32")
                && a != null
                && b != null
                && (a == b || a.bytes() == 1 && b.bytes() == 1)
                && Integer.parseInt(shape.group(2)) == a.depth()
                && operands.size() >= 6;
        boolean inRegisters = known && operands.get(1) instanceof Operand.Vector;
        // What is contiguous is said of matrices in shared memory, and of those alone whose elements have 16 bits.
        boolean hasMajors = known && a.bytes() == 2;
        // A form that nobody knows has no number of operands.
        Decoder.require(instruction, layout, known ? hasMajors ? inRegisters ? 7 : 8 : 6 : operands.size(), known);
        int columns = Integer.parseInt(shape.group(1));
        if (columns % 8 != 0 || columns < 8 || columns > 256) {
            throw layout.unsupported(instruction, "N is a multiple of 8 from 8 to 256");
        }
        Operand scale = operands.get(3);
        int last = operands.size() - 1;
        return new MatrixProduct(
                columns,
                a,
                b,
                registers(instruction, layout, 0, columns / 2, PtxType.F32),
                inRegisters ? registers(instruction, layout, 1, 4, PtxType.B32) : new int[0],
                inRegisters ? RegisterLayout.SINK : layout.source(instruction, operands.get(1), PtxType.B64),
                layout.source(instruction, operands.get(2), PtxType.B64),
                layout.predicate(instruction, scale),
                RegisterLayout.negated(scale) ? -1 : 0,
                sign(instruction, layout, operands.get(4)),
                sign(instruction, layout, operands.get(5)),
                hasMajors && !inRegisters && flag(instruction, layout, operands.get(6)),
                hasMajors && flag(instruction, layout, operands.get(last)));
    }

    private static MatrixProduct.Element element(String type) {
        return Stream.of(MatrixProduct.Element.values())
                .filter(element -> element.name().toLowerCase(Locale.ROOT).equals(type))
                .findFirst()
                .orElse(null);
    }

    private static int[] registers(
            Instruction instruction, RegisterLayout layout, int operand, int count, PtxType type) {
        Operand vector = instruction.operands().get(operand);
        if (!(vector instanceof Operand.Vector registers)
                || registers.elements().size() != count) {
            throw layout.mismatch(instruction, vector, count + " registers");
        }
        return registers.elements().stream()
                .mapToInt(e -> layout.destination(instruction, e, type))
                .toArray();
    }

    private static int sign(Instruction instruction, RegisterLayout layout, Operand operand) {
        if (operand instanceof Operand.Immediate value && Math.abs(value.bits()) == 1) {
            return (int) value.bits();
        }
        throw layout.mismatch(instruction, operand, "1 or -1");
    }

    private static boolean flag(Instruction instruction, RegisterLayout layout, Operand operand) {
        if (operand instanceof Operand.Immediate value && (value.bits() & ~1) == 0) {
            return value.bits() == 1;
        }
        throw layout.mismatch(instruction, operand, "0 or 1");
    }
}
