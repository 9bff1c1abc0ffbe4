package org.quern.ptx.emulator;

import java.util.List;
import java.util.Set;
import org.quern.ptx.emulator.Options.Schedule;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes `mbarrier`.
///
/// The state that an arrival returns is the number of its phase. What a lane of a warp releases or acquires counts
/// for its whole warp. The scope is heeded where an mbarrier is of another block than who arrives: only what is
/// released and acquired in the scope of the cluster passes from one block to another.
final class MBarrierDecoder {
    private static final Set<String> KNOWN = Set.of(
            "init",
            "inval",
            "arrive",
            "arrive_drop",
            "expect_tx",
            "complete_tx",
            "test_wait",
            "try_wait",
            "parity",
            "pending_count",
            "relaxed",
            "release",
            "acquire",
            "cta",
            "cluster",
            "shared",
            "shared::cta",
            "shared::cluster",
            "b64");

    private final Instruction instruction;
    private final RegisterLayout layout;
    private final List<Operand> operands;
    /// Whether the mbarrier may be another block's.
    private final boolean ofCluster;
    /// Whether its address is generic.
    private final boolean generic;

    private MBarrierDecoder(Instruction instruction, RegisterLayout layout) {
        this.instruction = instruction;
        this.layout = layout;
        operands = instruction.operands();
        ofCluster = instruction.has("shared::cluster");
        generic = !ofCluster && !instruction.has("shared") && !instruction.has("shared::cta");
        for (String modifier : instruction.modifiers()) {
            if (!KNOWN.contains(modifier)) {
                throw layout.unsupported(instruction, "the emulator does not know ." + modifier);
            }
        }
    }

    /// The operation; null if it is none of these.
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        if (!instruction.opcode().equals("mbarrier")) {
            return null;
        }
        MBarrierDecoder decoder = new MBarrierDecoder(instruction, layout);
        boolean counts = instruction.has("arrive") || instruction.has("expect_tx") || instruction.has("complete_tx");
        if (decoder.ofCluster && !counts) {
            throw layout.unsupported(instruction, "is for mbarriers of the own block");
        }
        return switch (instruction.modifiers().getFirst()) {
            case "init" -> decoder.initialize();
            case "inval" -> decoder.invalidate();
            case "arrive", "arrive_drop" -> decoder.arrive();
            case "expect_tx", "complete_tx" -> decoder.count();
            case "test_wait", "try_wait" -> decoder.test();
            default -> throw layout.unsupported(instruction, "the emulator does not know this form");
        };
    }

    private AddressOperand address(int operand) {
        return AddressOperand.of(instruction, Decoder.operand(instruction, operand), layout);
    }

    private MBarrier barrier(Warp warp, int lane) {
        Block owner = ofCluster ? warp.block.cluster.reach(warp, lane) : warp.block;
        return owner.mbarriers.at(warp, lane);
    }

    private int word(int operand) {
        return layout.source(instruction, Decoder.operand(instruction, operand), PtxType.U32);
    }

    private void requireOperands(int least, int most) {
        if (operands.size() < least || operands.size() > most) {
            throw layout.unsupported(
                    instruction, "takes %d to %d operands, not %d".formatted(least, most, operands.size()));
        }
    }

    /// What one lane does.
    @FunctionalInterface
    private interface LaneAction {
        void run(Warp warp, int lane);
    }

    /// Addresses resolved and checked, then lane by lane.
    private Operation each(AddressOperand address, LaneAction action) {
        return (warp, mask) -> {
            resolve(warp, mask, address);
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                action.run(warp, Integer.numberOfTrailingZeros(rest));
            }
        };
    }

    private void resolve(Warp warp, int mask, AddressOperand address) {
        address.resolve(warp, mask, warp.addresses);
        if (generic) {
            Spaces.toShared(warp, mask, warp.addresses);
        }
        AddressOperand.requireAligned(warp, mask, warp.addresses, Long.BYTES);
    }

    private Operation initialize() {
        requireOperands(2, 2);
        int count = word(1);
        return each(address(0), (warp, lane) -> {
            warp.registers.requireWord(warp, count, 1 << lane);
            warp.block.mbarriers.initialize(warp, lane, warp.registers.words[count * 32 + lane]);
        });
    }

    private Operation invalidate() {
        requireOperands(1, 1);
        return each(address(0), (warp, lane) -> warp.block.mbarriers.invalidate(warp, lane));
    }

    private Operation arrive() {
        boolean announces = instruction.has("expect_tx");
        boolean drops = instruction.has("arrive_drop");
        boolean releases = !instruction.has("relaxed");
        boolean clusterScope = instruction.has("cluster");
        requireOperands(announces ? 3 : 2, 3);
        int state = layout.destination(instruction, operands.getFirst(), PtxType.B64);
        if (ofCluster && state != RegisterLayout.SINK) {
            throw layout.mismatch(instruction, operands.getFirst(), "_, as mbarriers of other blocks tell no state,");
        }
        int third = operands.size() == 3 ? word(2) : RegisterLayout.SINK;
        if (drops && third != RegisterLayout.SINK) {
            throw layout.unsupported(instruction, "the emulator drops one arrival at a time");
        }
        Operation arrivals = each(address(1), (warp, lane) -> {
            Registers registers = warp.registers;
            MBarrier barrier = barrier(warp, lane);
            registers.longs[state * 32 + lane] = barrier.phase();
            registers.longsDefined[state] |= 1 << lane;
            int value = 1;
            if (third != RegisterLayout.SINK) {
                registers.requireWord(warp, third, 1 << lane);
                value = registers.words[third * 32 + lane];
            }
            if (releases) {
                barrier.release(warp, lane, clusterScope);
            }
            if (announces) {
                barrier.expect(warp, lane, value);
            }
            if (drops) {
                barrier.drop(warp, lane);
            } else {
                barrier.arrive(warp, lane, announces ? 1 : value);
            }
        });
        return (warp, mask) -> {
            arrivals.execute(warp, mask);
            if (releases) {
                warp.advance();
            }
        };
    }

    private Operation count() {
        requireOperands(2, 2);
        boolean announces = instruction.has("expect_tx");
        int bytes = word(1);
        return each(address(0), (warp, lane) -> {
            warp.registers.requireWord(warp, bytes, 1 << lane);
            MBarrier barrier = barrier(warp, lane);
            int count = warp.registers.words[bytes * 32 + lane];
            if (announces) {
                barrier.expect(warp, lane, count);
            } else {
                barrier.copied(warp, lane, count);
            }
        });
    }

    private Operation test() {
        boolean maySuspend = instruction.has("try_wait");
        boolean parity = instruction.has("parity");
        boolean acquires = !instruction.has("relaxed");
        boolean clusterScope = instruction.has("cluster");
        requireOperands(3, maySuspend ? 4 : 3);
        int result = layout.destination(instruction, operands.getFirst(), PtxType.PRED);
        int phase = layout.source(instruction, operands.get(2), parity ? PtxType.U32 : PtxType.B64);
        AddressOperand address = address(1);
        return (warp, mask) -> {
            Registers registers = warp.registers;
            if (parity) {
                registers.requireWord(warp, phase, mask);
            } else {
                registers.requireLong(warp, phase, mask);
            }
            resolve(warp, mask, address);
            int complete = 0;
            MBarrier awaited = null;
            // A wait may time out, and says so by a false.
            boolean late = maySuspend
                    && warp.block.execution.options.schedule() == Schedule.RANDOM
                    && warp.block.execution.random.nextInt(4) == 0;
            MBarrier[] barriers = warp.barriers;
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                barriers[lane] = warp.block.mbarriers.at(warp, lane);
            }
            // Lanes that ask for one mbarrier get one answer.
            for (int rest = mask; rest != 0; ) {
                int first = Integer.numberOfTrailingZeros(rest);
                MBarrier barrier = barriers[first];
                int asking = 0;
                for (int others = rest; others != 0; others &= others - 1) {
                    int lane = Integer.numberOfTrailingZeros(others);
                    asking |= barriers[lane] == barrier ? 1 << lane : 0;
                }
                if (barrier.awaitsCopies()) {
                    warp.block.bulk.awaited(barrier, warp, first);
                }
                int done = 0;
                for (int others = asking; others != 0; others &= others - 1) {
                    int lane = Integer.numberOfTrailingZeros(others);
                    boolean over = parity
                            ? barrier.isComplete(parity(warp, lane, registers.words[phase * 32 + lane]))
                            : barrier.phase() > registers.longs[phase * 32 + lane];
                    done |= over ? 1 << lane : 0;
                }
                if (done != asking) {
                    awaited = barrier;
                }
                if (done != 0 && !late) {
                    complete |= done;
                    if (acquires) {
                        barrier.acquire(warp, done, clusterScope);
                    }
                }
                rest &= ~asking;
            }
            registers.predicates[result] = registers.predicates[result] & ~mask | complete;
            registers.predicatesDefined[result] |= mask;
            if (complete != mask) {
                warp.poll();
                if (awaited != null) {
                    warp.block.cluster.polled(warp, awaited);
                }
            }
        };
    }

    private static int parity(Warp warp, int lane, int parity) {
        if (parity != 0 && parity != 1) {
            throw warp.fault(EmulatorFault.Kind.BARRIER, lane, "the parity of a phase is 0 or 1: got " + parity);
        }
        return parity;
    }
}
