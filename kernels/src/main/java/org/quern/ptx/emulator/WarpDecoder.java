package org.quern.ptx.emulator;

import java.util.List;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes instructions by which the lanes of a warp work together.
final class WarpDecoder {
    private WarpDecoder() {}

    /// The operation; null if it is none of these.
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        return switch (instruction.opcode()) {
            case "shfl" -> shuffle(instruction, layout);
            case "vote" -> vote(instruction, layout);
            case "match" -> match(instruction, layout);
            case "redux" -> reduce(instruction, layout);
            case "activemask" -> {
                int destination = layout.destination(instruction, Decoder.operand(instruction, 0), PtxType.B32);
                yield (warp, mask) -> broadcast(warp, destination, mask, warp.active);
            }
            case "elect" -> elect(instruction, layout);
            case "setmaxnreg" -> setRegisters(instruction, layout);
            default -> null;
        };
    }

    /// Any of the members may be elected, the same one for the same mask: the seed says whether the first or
    /// the last.
    private static Operation elect(Instruction instruction, RegisterLayout layout) {
        Decoder.require(instruction, layout, 2, instruction.modifiers().equals(List.of("sync")));
        if (!(instruction.operands().getFirst() instanceof Operand.Pair pair)) {
            throw layout.mismatch(instruction, instruction.operands().getFirst(), "a register and a predicate");
        }
        int leader = layout.destination(instruction, pair.first(), PtxType.B32);
        int elected = layout.destination(instruction, pair.second(), PtxType.PRED);
        Members members = members(instruction, layout);
        return (warp, mask) -> {
            int ready = members.arrived(warp, mask);
            for (int rest = ready; rest != 0; ) {
                int group = warp.registers.words[members.slot() * 32 + Integer.numberOfTrailingZeros(rest)];
                int one = (warp.block.execution.options.seed() & 1) == 0
                        ? Integer.lowestOneBit(group)
                        : Integer.highestOneBit(group);
                broadcast(warp, leader, group, Integer.numberOfTrailingZeros(one));
                setPredicate(warp, elected, group, one);
                rest &= ~group;
            }
        };
    }

    /// Registers that are used are not counted here; the assembler reports them.
    private static Operation setRegisters(Instruction instruction, RegisterLayout layout) {
        List<String> modifiers = instruction.modifiers();
        boolean known = modifiers.size() == 4
                && (modifiers.getFirst().equals("inc") || modifiers.getFirst().equals("dec"))
                && modifiers.subList(1, 4).equals(List.of("sync", "aligned", "u32"));
        Decoder.require(instruction, layout, 1, known);
        if (!(instruction.operands().getFirst() instanceof Operand.Immediate count)
                || count.bits() < 24
                || count.bits() > 256
                || count.bits() % 8 != 0) {
            throw layout.mismatch(instruction, instruction.operands().getFirst(), "a multiple of 8 from 24 to 256");
        }
        boolean increases = modifiers.getFirst().equals("inc");
        int registers = (int) count.bits();
        return (warp, mask) -> {
            if (warp.isWhole(mask) && !warp.block.registers.set(warp, increases, registers)) {
                warp.pollAgain();
            }
        };
    }

    private static Members members(Instruction instruction, RegisterLayout layout) {
        return new Members(layout.source(instruction, instruction.operands().getLast(), PtxType.B32));
    }

    private static void broadcast(Warp warp, int destination, int mask, int value) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            warp.registers.words[destination * 32 + Integer.numberOfTrailingZeros(rest)] = value;
        }
        warp.registers.wordsDefined[destination] |= mask;
    }

    private static void setPredicate(Warp warp, int destination, int mask, int value) {
        Registers registers = warp.registers;
        registers.predicates[destination] = registers.predicates[destination] & ~mask | value & mask;
        registers.predicatesDefined[destination] |= mask;
    }

    private static Operation shuffle(Instruction instruction, RegisterLayout layout) {
        List<String> modifiers = instruction.modifiers();
        Decoder.require(
                instruction,
                layout,
                5,
                modifiers.size() == 3 && modifiers.getFirst().equals("sync"));
        Shuffle.Mode mode = switch (modifiers.get(1)) {
            case "idx" -> Shuffle.Mode.IDX;
            case "up" -> Shuffle.Mode.UP;
            case "down" -> Shuffle.Mode.DOWN;
            case "bfly" -> Shuffle.Mode.BFLY;
            default -> throw layout.unsupported(instruction, "no such mode");
        };
        Operand target = instruction.operands().getFirst();
        Operand value = target instanceof Operand.Pair pair ? pair.first() : target;
        return new Shuffle(
                mode,
                layout.destination(instruction, value, PtxType.B32),
                target instanceof Operand.Pair pair
                        ? layout.destination(instruction, pair.second(), PtxType.PRED)
                        : RegisterLayout.SINK,
                layout.source(instruction, instruction.operands().get(1), PtxType.B32),
                layout.source(instruction, instruction.operands().get(2), PtxType.B32),
                layout.source(instruction, instruction.operands().get(3), PtxType.B32),
                members(instruction, layout));
    }

    private static Operation vote(Instruction instruction, RegisterLayout layout) {
        List<String> modifiers = instruction.modifiers();
        Decoder.require(
                instruction,
                layout,
                3,
                modifiers.size() == 3 && modifiers.getFirst().equals("sync"));
        String mode = modifiers.get(1);
        boolean ballot = mode.equals("ballot");
        int destination =
                layout.destination(instruction, instruction.operands().getFirst(), ballot ? PtxType.B32 : PtxType.PRED);
        Operand source = instruction.operands().get(1);
        int slot = layout.predicate(instruction, source);
        int flip = RegisterLayout.negated(source) ? -1 : 0;
        Members members = members(instruction, layout);
        return (warp, mask) -> {
            int ready = members.arrived(warp, mask);
            if (ready == 0) {
                return;
            }
            warp.registers.requirePredicate(warp, slot, ready);
            int votes = warp.registers.predicates[slot] ^ flip;
            for (int rest = ready; rest != 0; ) {
                int group = warp.registers.words[members.slot() * 32 + Integer.numberOfTrailingZeros(rest)];
                int yes = votes & group;
                if (ballot) {
                    broadcast(warp, destination, group, yes);
                } else {
                    boolean result = switch (mode) {
                        case "all" -> yes == group;
                        case "any" -> yes != 0;
                        case "uni" -> yes == group || yes == 0;
                        default -> throw layout.unsupported(instruction, "no such mode");
                    };
                    setPredicate(warp, destination, group, result ? -1 : 0);
                }
                rest &= ~group;
            }
        };
    }

    private static Operation match(Instruction instruction, RegisterLayout layout) {
        Decoder.require(instruction, layout, 3, instruction.has("sync"));
        boolean all = instruction.has("all");
        PtxType type = Decoder.type(instruction, layout);
        Operand target = instruction.operands().getFirst();
        int destination = layout.destination(
                instruction, target instanceof Operand.Pair pair ? pair.first() : target, PtxType.B32);
        int agreed = target instanceof Operand.Pair pair
                ? layout.destination(instruction, pair.second(), PtxType.PRED)
                : RegisterLayout.SINK;
        int source = layout.source(instruction, instruction.operands().get(1), type);
        Members members = members(instruction, layout);
        return (warp, mask) -> {
            int ready = members.arrived(warp, mask);
            if (ready == 0) {
                return;
            }
            Registers registers = warp.registers;
            if (type.bytes() == 8) {
                registers.requireLong(warp, source, ready);
            } else {
                registers.requireWord(warp, source, ready);
            }
            for (int rest = ready; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int group = registers.words[members.slot() * 32 + lane];
                int equal = 0;
                for (int others = group; others != 0; others &= others - 1) {
                    int other = Integer.numberOfTrailingZeros(others);
                    boolean same = type.bytes() == 8
                            ? registers.longs[source * 32 + lane] == registers.longs[source * 32 + other]
                            : registers.words[source * 32 + lane] == registers.words[source * 32 + other];
                    equal |= same ? 1 << other : 0;
                }
                warp.staging[lane] = all && equal != group ? 0 : equal;
            }
            for (int rest = ready; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                registers.words[destination * 32 + lane] = warp.staging[lane];
                setPredicate(warp, agreed, 1 << lane, warp.staging[lane] != 0 ? -1 : 0);
            }
            registers.wordsDefined[destination] |= ready;
        };
    }

    private static Operation reduce(Instruction instruction, RegisterLayout layout) {
        List<String> modifiers = instruction.modifiers();
        Decoder.require(
                instruction,
                layout,
                3,
                modifiers.size() == 3 && modifiers.getFirst().equals("sync"));
        String operation = modifiers.get(1);
        boolean signed = modifiers.get(2).equals("s32");
        int destination = layout.destination(instruction, instruction.operands().getFirst(), PtxType.B32);
        int source = layout.source(instruction, instruction.operands().get(1), PtxType.B32);
        Members members = members(instruction, layout);
        if (!List.of("add", "min", "max", "and", "or", "xor").contains(operation)) {
            throw layout.unsupported(instruction, "no such reduction");
        }
        return (warp, mask) -> {
            int ready = members.arrived(warp, mask);
            if (ready == 0) {
                return;
            }
            int[] words = warp.registers.words;
            warp.registers.requireWord(warp, source, ready);
            for (int rest = ready; rest != 0; ) {
                int first = Integer.numberOfTrailingZeros(rest);
                int group = words[members.slot() * 32 + first];
                int result = words[source * 32 + first];
                for (int others = group & group - 1; others != 0; others &= others - 1) {
                    int value = words[source * 32 + Integer.numberOfTrailingZeros(others)];
                    result = switch (operation) {
                        case "add" -> result + value;
                        case "and" -> result & value;
                        case "or" -> result | value;
                        case "xor" -> result ^ value;
                        case "min" ->
                            (signed ? result < value : Integer.compareUnsigned(result, value) < 0) ? result : value;
                        default ->
                            (signed ? result > value : Integer.compareUnsigned(result, value) > 0) ? result : value;
                    };
                }
                broadcast(warp, destination, group, result);
                rest &= ~group;
            }
        };
    }
}
