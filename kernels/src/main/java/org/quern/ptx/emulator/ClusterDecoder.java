package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;

import java.util.List;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.StateSpace;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes the cluster's barrier, and what relates addresses to its blocks.
final class ClusterDecoder {
    private ClusterDecoder() {}

    /// The operation; null if it is none of these.
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        return switch (instruction.opcode()) {
            case "barrier" -> instruction.has("cluster") ? barrier(instruction, layout) : null;
            case "mapa" -> map(instruction, layout);
            case "getctarank" -> rank(instruction, layout);
            default -> null;
        };
    }

    private static Operation barrier(Instruction instruction, RegisterLayout layout) {
        boolean arrives = instruction.has("arrive");
        List<String> known = arrives
                ? List.of("cluster", "arrive", "release", "relaxed", "aligned")
                : List.of("cluster", "wait", "acquire", "aligned");
        Decoder.require(
                instruction, layout, 0, instruction.has(known.get(1)) && known.containsAll(instruction.modifiers()));
        boolean aligned = instruction.has("aligned");
        boolean releases = !instruction.has("relaxed");
        return (warp, mask) -> {
            if (aligned && !warp.isWhole(mask)) {
                return;
            }
            ClusterBarrier barrier = warp.block.cluster.barrier;
            if (arrives) {
                barrier.arrive(warp, mask, releases);
            } else {
                barrier.await(warp, mask);
            }
        };
    }

    /// An address of shared memory as an operand: of `.shared::cluster`, or generic.
    private record SharedAddress(int slot, boolean wide, long window) {
        static SharedAddress of(Instruction instruction, RegisterLayout layout, PtxType type) {
            boolean generic = !instruction.has("shared::cluster");
            boolean wide = type == PtxType.U64;
            if (!wide && (generic || type != PtxType.U32)) {
                throw layout.unsupported(instruction, "takes .u64, or with .shared::cluster also .u32");
            }
            return new SharedAddress(
                    layout.source(instruction, Decoder.operand(instruction, 1), type),
                    wide,
                    generic ? Spaces.window(StateSpace.SHARED) : 0);
        }

        void require(Warp warp, int mask) {
            if (wide) {
                warp.registers.requireLong(warp, slot, mask);
            } else {
                warp.registers.requireWord(warp, slot, mask);
            }
        }

        long at(Warp warp, int lane) {
            Registers registers = warp.registers;
            return wide ? registers.longs[slot * 32 + lane] - window : registers.words[slot * 32 + lane] & 0xffffffffL;
        }
    }

    /// `mapa`: the address in a block of the cluster of what the own block has at the same place.
    private static Operation map(Instruction instruction, RegisterLayout layout) {
        PtxType type = Decoder.type(instruction, layout);
        Decoder.require(instruction, layout, 3, true);
        SharedAddress source = SharedAddress.of(instruction, layout, type);
        int destination = layout.destination(instruction, instruction.operands().getFirst(), type);
        int target = layout.source(instruction, instruction.operands().getLast(), PtxType.U32);
        return (warp, mask) -> {
            source.require(warp, mask);
            Registers registers = warp.registers;
            registers.requireWord(warp, target, mask);
            int blocks = warp.block.cluster.blocks.length;
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int rank = registers.words[target * 32 + lane];
                if (rank < 0 || rank >= blocks) {
                    throw warp.fault(
                            OUT_OF_BOUNDS,
                            lane,
                            "asks for block %d of the cluster, which has %d".formatted(rank, blocks));
                }
                long address = Cluster.map(source.at(warp, lane), rank);
                if (source.wide) {
                    registers.longs[destination * 32 + lane] = source.window + address;
                } else {
                    registers.words[destination * 32 + lane] = (int) address;
                }
            }
            (source.wide ? registers.longsDefined : registers.wordsDefined)[destination] |= mask;
        };
    }

    private static Operation rank(Instruction instruction, RegisterLayout layout) {
        Decoder.require(instruction, layout, 2, true);
        SharedAddress source = SharedAddress.of(instruction, layout, Decoder.type(instruction, layout));
        int destination = layout.destination(instruction, instruction.operands().getFirst(), PtxType.U32);
        return (warp, mask) -> {
            source.require(warp, mask);
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.registers.words[destination * 32 + lane] = Cluster.rank(warp, source.at(warp, lane));
            }
            warp.registers.wordsDefined[destination] |= mask;
        };
    }
}
