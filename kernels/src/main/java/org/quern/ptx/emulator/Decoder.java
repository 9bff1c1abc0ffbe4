package org.quern.ptx.emulator;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// Turns instructions into operations.
final class Decoder {
    private final RegisterLayout layout;
    private final Map<String, Integer> labels;
    private final Map<String, List<String>> branchTargets;

    /// @param labels with the instruction that follows
    /// @param branchTargets of `brx.idx`, by name
    Decoder(RegisterLayout layout, Map<String, Integer> labels, Map<String, List<String>> branchTargets) {
        this.layout = layout;
        this.labels = labels;
        this.branchTargets = branchTargets;
    }

    /// The operation of an instruction, without its guard.
    ///
    /// @throws EmulatorFault if the emulator does not know it
    Operation decode(Instruction instruction) {
        Operation operation = control(instruction);
        if (operation == null) {
            operation = MemoryDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            operation = ClusterDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            operation = BarrierDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            operation = BulkCopyDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            operation = MatrixProductDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            operation = MBarrierDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            operation = WarpDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            operation = ArithmeticDecoder.decode(instruction, layout);
        }
        if (operation == null) {
            throw layout.unsupported(instruction, "the emulator does not know this instruction");
        }
        return operation;
    }

    private Operation control(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "bra" -> branch(instruction);
            case "brx" -> indexedBranch(instruction);
            case "ret", "exit" -> Warp::exit;
            case "trap", "brkpt" ->
                (warp, mask) -> {
                    throw warp.fault(
                            EmulatorFault.Kind.TRAP,
                            Integer.numberOfTrailingZeros(mask),
                            "the kernel stops itself with " + instruction.opcode());
                };
            case "nanosleep", "prefetch", "prefetchu", "discard", "applypriority" -> (_, _) -> {};
            case "mov" -> clock(instruction);
            default -> null;
        };
    }

    private int target(Instruction instruction, Operand operand) {
        if (operand instanceof Operand.Symbol symbol && labels.containsKey(symbol.name())) {
            return labels.get(symbol.name());
        }
        throw layout.mismatch(instruction, operand, "a label");
    }

    private Operation branch(Instruction instruction) {
        int target = target(instruction, operand(instruction, 0));
        if (!instruction.has("uni")) {
            return (warp, mask) -> warp.jump(mask, target);
        }
        return (warp, mask) -> {
            if (mask != warp.active) {
                throw warp.fault(
                        EmulatorFault.Kind.DIVERGED,
                        Integer.numberOfTrailingZeros(warp.active & ~mask),
                        "bra.uni promises that all lanes jump or none, but only %s do".formatted(Warp.lanes(mask)));
            }
            warp.jump(mask, target);
        };
    }

    private Operation indexedBranch(Instruction instruction) {
        int index = layout.source(instruction, operand(instruction, 0), PtxType.U32);
        if (!(operand(instruction, 1) instanceof Operand.Symbol symbol) || !branchTargets.containsKey(symbol.name())) {
            throw layout.mismatch(instruction, operand(instruction, 1), "a list of branch targets");
        }
        int[] targets = branchTargets.get(symbol.name()).stream()
                .mapToInt(label -> target(instruction, new Operand.Symbol(label, 0)))
                .toArray();
        return (warp, mask) -> {
            warp.registers.requireWord(warp, index, mask);
            int[] words = warp.registers.words;
            for (int rest = mask; rest != 0; ) {
                int first = Integer.numberOfTrailingZeros(rest);
                int choice = words[index * 32 + first];
                if (choice < 0 || choice >= targets.length) {
                    throw warp.fault(
                            EmulatorFault.Kind.TRAP,
                            first,
                            "target %d of %d is chosen".formatted(choice, targets.length));
                }
                int lanes = 0;
                for (int others = rest; others != 0; others &= others - 1) {
                    int lane = Integer.numberOfTrailingZeros(others);
                    lanes |= words[index * 32 + lane] == choice ? 1 << lane : 0;
                }
                warp.jump(lanes, targets[choice]);
                rest &= ~lanes;
            }
        };
    }

    /// `mov` from a special register that changes; null for any other.
    private Operation clock(Instruction instruction) {
        if (!(operand(instruction, 1) instanceof Operand.Register register)) {
            return null;
        }
        int shift = switch (register.name()) {
            case "%clock", "%clock64", "%globaltimer", "%globaltimer_lo" -> 0;
            case "%clock_hi", "%globaltimer_hi" -> 32;
            default -> -1;
        };
        if (shift < 0) {
            return null;
        }
        boolean wide = register.name().equals("%clock64") || register.name().equals("%globaltimer");
        int destination = layout.destination(instruction, operand(instruction, 0), wide ? PtxType.U64 : PtxType.U32);
        return (warp, mask) -> {
            Registers registers = warp.registers;
            long time = warp.block.execution.clock();
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int at = destination * 32 + Integer.numberOfTrailingZeros(rest);
                if (wide) {
                    registers.longs[at] = time;
                } else {
                    registers.words[at] = (int) (time >>> shift);
                }
            }
            (wide ? registers.longsDefined : registers.wordsDefined)[destination] |= mask;
        };
    }

    /// An operand that must be there.
    static Operand operand(Instruction instruction, int index) {
        if (index >= instruction.operands().size()) {
            throw new EmulatorFault(
                    EmulatorFault.Kind.UNSUPPORTED,
                    instruction.line(),
                    "line %d: %s has too few operands".formatted(instruction.line(), instruction.mnemonic()));
        }
        return instruction.operands().get(index);
    }

    /// Faults unless an instruction has the operands and the modifiers that it should have.
    static void require(Instruction instruction, RegisterLayout layout, int operands, boolean modifiers) {
        if (instruction.operands().size() != operands) {
            throw layout.unsupported(
                    instruction,
                    "takes %d operands, not %d"
                            .formatted(operands, instruction.operands().size()));
        }
        if (!modifiers) {
            throw layout.unsupported(instruction, "the emulator does not know this form of the instruction");
        }
    }

    /// The type that ends an instruction's modifiers.
    static PtxType type(Instruction instruction, RegisterLayout layout) {
        try {
            return PtxType.valueOf(instruction.modifiers().getLast().toUpperCase(Locale.ROOT));
        } catch (RuntimeException e) {
            throw layout.unsupported(instruction, "has no type that the emulator knows");
        }
    }
}
