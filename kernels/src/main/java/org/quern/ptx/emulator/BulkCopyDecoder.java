package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;

import java.util.List;
import org.quern.gpu.TensorMap;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.StateSpace;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes `cp.async.bulk` and `cp.reduce.async.bulk`, of lines of bytes and of boxes of tensors.
final class BulkCopyDecoder {
    private final Instruction instruction;
    private final RegisterLayout layout;
    private final List<Operand> operands;
    private final boolean tensor;

    private BulkCopyDecoder(Instruction instruction, RegisterLayout layout) {
        this.instruction = instruction;
        this.layout = layout;
        tensor = instruction.has("tensor");
        List<Operand> all = instruction.operands();
        operands = instruction.has("L2::cache_hint") ? all.subList(0, all.size() - 1) : all;
        for (String unknown : List.of("im2col", "tile::gather4", "tile::scatter4")) {
            if (instruction.has(unknown)) {
                throw layout.unsupported(instruction, "the emulator does not know ." + unknown);
            }
        }
    }

    /// The operation; null if it is none of these.
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        if (!instruction.opcode().equals("cp") || !instruction.has("bulk")) {
            return null;
        }
        BulkCopyDecoder decoder = new BulkCopyDecoder(instruction, layout);
        if (instruction.has("prefetch")) {
            return (_, _) -> {};
        }
        if (instruction.has("commit_group")) {
            return (warp, mask) -> warp.block.bulk.commit(warp, mask);
        }
        if (instruction.has("wait_group")) {
            return decoder.await();
        }
        if (instruction.has("bulk_group")) {
            return decoder.store();
        }
        if (instruction.has("mbarrier::complete_tx::bytes") && instruction.has("global")) {
            return decoder.load();
        }
        throw layout.unsupported(instruction, "the emulator does not know this form");
    }

    private AddressOperand address(int operand) {
        return AddressOperand.of(instruction, Decoder.operand(instruction, operand), layout);
    }

    private Operation await() {
        if (!(Decoder.operand(instruction, 0) instanceof Operand.Immediate groups) || groups.bits() < 0) {
            throw layout.mismatch(instruction, operands.getFirst(), "a number of groups");
        }
        int open = Math.toIntExact(groups.bits());
        boolean reads = instruction.has("read");
        return (warp, mask) -> warp.block.bulk.await(warp, mask, open, reads);
    }

    private Operation load() {
        boolean multicast = instruction.has("multicast::cluster");
        int count = (tensor ? 3 : 4) + (multicast ? 1 : 0);
        Decoder.require(instruction, layout, instruction.operands().size(), operands.size() == count);
        AddressOperand barrier = address(tensor ? 2 : 3);
        int blocks = multicast ? layout.source(instruction, operands.getLast(), PtxType.U16) : RegisterLayout.SINK;
        Source source = tensor ? box(address(0), 1) : line(address(0), address(1), 2);
        return (warp, mask) -> {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                Chunks chunks = source.chunks(warp, lane);
                barrier.resolve(warp, 1 << lane, warp.addresses);
                AddressOperand.requireAligned(warp, 1 << lane, warp.addresses, Long.BYTES);
                if (!multicast) {
                    load(warp, lane, chunks, warp.block);
                    continue;
                }
                warp.registers.requireWord(warp, blocks, 1 << lane);
                long place = warp.addresses[lane];
                Block[] all = warp.block.cluster.blocks;
                for (int targets = targets(warp, lane, warp.registers.words[blocks * 32 + lane], all.length);
                        targets != 0;
                        targets &= targets - 1) {
                    Block target = all[Integer.numberOfTrailingZeros(targets)];
                    if (target != warp.block) {
                        target.requirePresent(warp, lane);
                    }
                    warp.addresses[lane] = place;
                    load(warp, lane, chunks, target);
                }
            }
        };
    }

    private static int targets(Warp warp, int lane, int bits, int blocks) {
        int mask = bits & 0xffff;
        if (mask >>> blocks != 0) {
            throw warp.fault(
                    OUT_OF_BOUNDS,
                    lane,
                    "copies to the blocks of the mask %#x: the cluster has %d".formatted(mask, blocks));
        }
        return mask;
    }

    /// Copies to a block, whose mbarrier is at [Warp#addresses].
    private static void load(Warp warp, int lane, Chunks chunks, Block target) {
        MBarrier told = target.mbarriers.at(warp, lane);
        if (!told.fenced) {
            throw warp.fault(
                    ASYNC_COPY,
                    lane,
                    ("%s is signalled by a bulk copy, and the warp that initialised it executed neither "
                                    + "fence.mbarrier_init nor fence.proxy.async after that")
                            .formatted(told));
        }
        target.bulk.load(warp, lane, chunks, told);
    }

    private Operation store() {
        boolean reduces = instruction.has("reduce");
        int count = tensor ? 2 : 3;
        Decoder.require(instruction, layout, instruction.operands().size(), operands.size() == count);
        if (reduces && !instruction.has("add")) {
            throw layout.unsupported(instruction, "the emulator knows .add only");
        }
        Source source = tensor ? box(address(1), 0) : line(address(1), address(0), 2);
        PtxType type = reduces && !tensor ? Decoder.type(instruction, layout) : null;
        if (type != null && type != PtxType.F32 && type != PtxType.BF16) {
            throw layout.unsupported(instruction, "the emulator adds .f32 and .bf16");
        }
        return (warp, mask) -> {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                Chunks chunks = source.chunks(warp, lane);
                BulkCopy.Change change = !reduces
                        ? BulkCopy.Change.REPLACE
                        : type == PtxType.BF16 || type == null && source.adds(warp, lane) == TensorMap.Element.BFLOAT16
                                ? BulkCopy.Change.ADD_BF16
                                : BulkCopy.Change.ADD_F32;
                warp.block.bulk.store(warp, lane, chunks, change);
            }
        };
    }

    /// What a lane copies.
    private interface Source {
        Chunks chunks(Warp warp, int lane);

        /// The elements that a reduction adds to, where the instruction does not say it.
        default TensorMap.Element adds(Warp warp, int lane) {
            throw new IllegalStateException("a line has no elements");
        }
    }

    private static long place(AddressOperand operand, Warp warp, int lane, int alignment) {
        operand.resolve(warp, 1 << lane, warp.addresses);
        if (warp.addresses[lane] % alignment != 0) {
            throw warp.fault(
                    MISALIGNED,
                    lane,
                    "the address %#x must be a multiple of %d".formatted(warp.addresses[lane], alignment));
        }
        return warp.addresses[lane];
    }

    private Source line(AddressOperand shared, AddressOperand global, int sizeOperand) {
        int size = layout.source(instruction, operands.get(sizeOperand), PtxType.U32);
        return (warp, lane) -> {
            warp.registers.requireWord(warp, size, 1 << lane);
            int bytes = warp.registers.words[size * 32 + lane];
            if (bytes < 0 || bytes % Chunks.BYTES != 0) {
                throw warp.fault(TRAP, lane, "a bulk copy moves a multiple of 16 bytes: got " + bytes);
            }
            int target = (int) place(shared, warp, lane, Chunks.BYTES);
            Chunks chunks = Chunks.line(target, place(global, warp, lane, Chunks.BYTES), bytes);
            warp.block.execution.traffic.bulk(warp.at, chunks);
            return chunks;
        };
    }

    private Source box(AddressOperand shared, int mapOperand) {
        if (!(operands.get(mapOperand) instanceof Operand.Address address)
                || address.coordinates().isEmpty()) {
            throw layout.mismatch(instruction, operands.get(mapOperand), "[map, {coordinates}]");
        }
        AddressOperand place = AddressOperand.of(
                instruction, new Operand.Address(address.base(), address.offset(), List.of()), layout);
        int[] slots = address.coordinates().stream()
                .mapToInt(c -> layout.source(instruction, c, PtxType.S32))
                .toArray();
        if (!instruction.has(slots.length + "d")) {
            throw layout.unsupported(instruction, "has %d coordinates".formatted(slots.length));
        }
        return new Source() {
            @Override
            public Chunks chunks(Warp warp, int lane) {
                TensorMap map = map(warp, lane);
                if (map.sizes().size() != slots.length) {
                    throw warp.fault(
                            TRAP,
                            lane,
                            "the tensor has %d dimensions, the instruction %d coordinates"
                                    .formatted(map.sizes().size(), slots.length));
                }
                int[] start = new int[slots.length];
                for (int i = 0; i < start.length; i++) {
                    warp.registers.requireWord(warp, slots[i], 1 << lane);
                    start[i] = warp.registers.words[slots[i] * 32 + lane];
                }
                Chunks chunks = Chunks.box(map, start, (int) BulkCopyDecoder.place(shared, warp, lane, 128));
                warp.block.execution.traffic.bulk(warp.at, chunks);
                return chunks;
            }

            @Override
            public TensorMap.Element adds(Warp warp, int lane) {
                return map(warp, lane).element();
            }

            private TensorMap map(Warp warp, int lane) {
                long at = BulkCopyDecoder.place(place, warp, lane, 64);
                return warp.block.execution.tensorMaps.computeIfAbsent(at, _ -> read(warp, lane, at));
            }
        };
    }

    private static TensorMap read(Warp warp, int lane, long at) {
        StateSpace space = Spaces.of(at);
        int[] words = new int[TensorMap.BYTES / Integer.BYTES];
        for (int i = 0; i < words.length; i++) {
            warp.addresses[lane] = at - Spaces.window(space) + i * Integer.BYTES;
            switch (space) {
                case PARAMETER -> warp.block.execution.parameters.load(warp, 1 << lane, Integer.BYTES);
                case GLOBAL -> warp.block.execution.global.load(warp, 1 << lane, Integer.BYTES, Access.CONSTANT);
                default -> throw warp.fault(TRAP, lane, "a tensor map is a parameter or in global memory");
            }
            words[i] = warp.staging[lane];
        }
        return TensorMaps.decode(warp, lane, words);
    }
}
