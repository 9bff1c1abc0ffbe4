package org.quern.ptx.emulator;

import java.util.List;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes barriers, fences and waits for other launches.
final class BarrierDecoder {
    private BarrierDecoder() {}

    /// The operation; null if it is none of these.
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        return switch (instruction.opcode()) {
            case "bar", "barrier" -> instruction.has("warp") ? warp(instruction, layout) : block(instruction, layout);
            case "membar" -> (warp, _) -> Releases.fence(warp);
            case "fence" -> fence(instruction, layout);
            case "griddepcontrol" -> dependencies(instruction, layout);
            default -> null;
        };
    }

    private static Operation fence(Instruction instruction, RegisterLayout layout) {
        return switch (instruction.modifiers().getFirst()) {
            case "proxy" -> {
                List<String> spaces = instruction
                        .modifiers()
                        .subList(1, instruction.modifiers().size());
                boolean both = spaces.equals(List.of("async"));
                boolean global = both || spaces.equals(List.of("async", "global"));
                boolean shared = both
                        || spaces.equals(List.of("async", "shared::cta"))
                        || spaces.equals(List.of("async", "shared::cluster"));
                Decoder.require(instruction, layout, 0, global || shared);
                yield (warp, mask) -> {
                    if (shared) {
                        warp.block.mbarriers.fence(warp, mask);
                        warp.block.mbarriers.fenceProxy(warp, mask);
                    }
                    warp.fenceProxy(shared, global);
                };
            }
            case "mbarrier_init" ->
                (warp, mask) -> {
                    warp.block.mbarriers.fence(warp, mask);
                    warp.fenceInitialisations();
                };
            default -> (warp, _) -> Releases.fence(warp);
        };
    }

    private static Operation dependencies(Instruction instruction, RegisterLayout layout) {
        boolean waits = instruction.has("wait");
        Decoder.require(instruction, layout, 0, waits || instruction.has("launch_dependents"));
        return (warp, mask) -> {
            if (waits) {
                warp.dependencies.await(mask);
            }
        };
    }

    private static Operation warp(Instruction instruction, RegisterLayout layout) {
        Decoder.require(instruction, layout, 1, instruction.modifiers().equals(List.of("warp", "sync")));
        Members members =
                new Members(layout.source(instruction, instruction.operands().getFirst(), PtxType.B32));
        return (warp, mask) -> {
            if (members.arrived(warp, mask) != 0) {
                warp.meet();
            }
        };
    }

    private static Operation block(Instruction instruction, RegisterLayout layout) {
        List<Operand> operands = instruction.operands();
        boolean reduction = instruction.has("red");
        boolean aligned = instruction.opcode().equals("bar") || instruction.has("aligned");
        int first = reduction ? 1 : 0;
        int last = operands.size() - (reduction ? 1 : 0);
        if (last <= first || last - first > 2) {
            throw layout.unsupported(instruction, "wrong number of operands");
        }
        int id = layout.source(instruction, operands.get(first), PtxType.U32);
        int threads = last - first == 2 ? layout.source(instruction, operands.get(first + 1), PtxType.U32) : 0;
        if (instruction.has("arrive")) {
            if (threads == 0) {
                throw layout.unsupported(instruction, "needs the number of threads");
            }
            return (warp, mask) -> {
                if (!aligned || warp.isWhole(mask)) {
                    barrier(warp, mask, id).arriveOnly(warp, mask, threads(warp, mask, threads));
                }
            };
        }
        if (!reduction) {
            if (!instruction.has("sync")) {
                throw layout.unsupported(instruction, "neither sync, arrive nor red");
            }
            return (warp, mask) -> {
                if (!aligned || warp.isWhole(mask)) {
                    barrier(warp, mask, id).sync(warp, mask, threads(warp, mask, threads), null, 0);
                }
            };
        }
        Operand source = operands.getLast();
        int vote = layout.predicate(instruction, source);
        int flip = RegisterLayout.negated(source) ? -1 : 0;
        Barrier.Reduction complete = reduction(instruction, layout);
        return (warp, mask) -> {
            if (!aligned || warp.isWhole(mask)) {
                warp.registers.requirePredicate(warp, vote, mask);
                barrier(warp, mask, id)
                        .sync(
                                warp,
                                mask,
                                threads(warp, mask, threads),
                                complete,
                                warp.registers.predicates[vote] ^ flip);
            }
        };
    }

    private static Barrier.Reduction reduction(Instruction instruction, RegisterLayout layout) {
        Operand target = instruction.operands().getFirst();
        if (instruction.has("popc")) {
            int destination = layout.destination(instruction, target, PtxType.U32);
            return (warp, mask, count, _) -> {
                for (int lane = 0; lane < 32; lane++) {
                    if ((mask >>> lane & 1) != 0) {
                        warp.registers.words[destination * 32 + lane] = count;
                    }
                }
                warp.registers.wordsDefined[destination] |= mask;
            };
        }
        boolean all = instruction.has("and");
        if (!all && !instruction.has("or")) {
            throw layout.unsupported(instruction, "no such reduction");
        }
        int destination = layout.destination(instruction, target, PtxType.PRED);
        return (warp, mask, count, threads) -> {
            boolean result = all ? count == threads : count > 0;
            Registers registers = warp.registers;
            registers.predicates[destination] = registers.predicates[destination] & ~mask | (result ? mask : 0);
            registers.predicatesDefined[destination] |= mask;
        };
    }

    private static Barrier barrier(Warp warp, int mask, int slot) {
        int id = uniform(warp, mask, slot);
        Barrier barrier = warp.block.barrier(id);
        if (barrier == null) {
            throw warp.fault(
                    EmulatorFault.Kind.BARRIER,
                    Integer.numberOfTrailingZeros(mask),
                    "there is no barrier %d: a block has %d"
                            .formatted(id, warp.block.execution.options.device().barriers()));
        }
        return barrier;
    }

    private static int threads(Warp warp, int mask, int slot) {
        return slot == 0 ? warp.block.execution.warps * 32 : uniform(warp, mask, slot);
    }

    private static int uniform(Warp warp, int mask, int slot) {
        warp.registers.requireWord(warp, slot, mask);
        int first = warp.registers.words[slot * 32 + Integer.numberOfTrailingZeros(mask)];
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (warp.registers.words[slot * 32 + lane] != first) {
                throw warp.fault(
                        EmulatorFault.Kind.BARRIER, lane, "lanes of one warp name different barriers or counts");
            }
        }
        return first;
    }
}
