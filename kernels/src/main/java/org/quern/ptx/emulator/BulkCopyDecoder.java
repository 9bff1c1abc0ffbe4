package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;

import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.quern.gpu.TensorMap;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.StateSpace;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes `cp.async.bulk` and `cp.reduce.async.bulk`, of lines of bytes and of boxes of tensors.
final class BulkCopyDecoder {
    private static final Set<String> KNOWN = Set.of(
            "reduce",
            "async",
            "bulk",
            "prefetch",
            "tensor",
            "tile",
            "commit_group",
            "wait_group",
            "read",
            "global",
            "shared::cta",
            "shared::cluster",
            "bulk_group",
            "mbarrier::complete_tx::bytes",
            "multicast::cluster",
            "noftz",
            "L2",
            "L2::cache_hint");
    private static final Pattern DIMENSIONS = Pattern.compile("[1-5]d");
    /// What a reduction does.
    private static final List<String> OPERATIONS = List.of("add", "min", "max", "inc", "dec", "and", "or", "xor");

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
        List<String> modifiers = instruction.modifiers();
        for (String modifier : modifiers) {
            boolean known = KNOWN.contains(modifier)
                    || OPERATIONS.contains(modifier)
                    || tensor && DIMENSIONS.matcher(modifier).matches();
            if (!known && !(reduces() && modifier.equals(modifiers.getLast()))) {
                throw layout.unsupported(instruction, "the emulator does not know ." + modifier);
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

    private boolean reduces() {
        return instruction.has("reduce");
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
        AddressOperand place = address(0);
        Source source = tensor ? box(1) : line(address(1), 2);
        return (warp, mask) -> {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                Block owner = owner(warp, lane, place);
                Chunks chunks = source.chunks(warp, lane, (int) warp.addresses[lane]);
                Block told = owner(warp, lane, barrier);
                AddressOperand.requireAligned(warp, 1 << lane, warp.addresses, Long.BYTES);
                if (!multicast) {
                    if (told != owner) {
                        throw warp.fault(
                                TRAP,
                                lane,
                                "copies to block %s and signals an mbarrier of block %s: both must be of one block"
                                        .formatted(owner, told));
                    }
                    load(warp, lane, chunks, owner);
                    continue;
                }
                warp.registers.requireWord(warp, blocks, 1 << lane);
                long offset = warp.addresses[lane];
                Block[] all = warp.block.cluster.blocks;
                for (int targets = targets(warp, lane, warp.registers.words[blocks * 32 + lane], all.length);
                        targets != 0;
                        targets &= targets - 1) {
                    Block target = all[Integer.numberOfTrailingZeros(targets)];
                    if (target != warp.block) {
                        target.requirePresent(warp, lane);
                    }
                    warp.addresses[lane] = offset;
                    load(warp, lane, chunks, target);
                }
            }
        };
    }

    /// The block whose shared memory an operand is in; its address there is in [Warp#addresses].
    private Block owner(Warp warp, int lane, AddressOperand operand) {
        operand.resolve(warp, 1 << lane, warp.addresses);
        return instruction.has("shared::cluster") ? warp.block.cluster.owner(warp, lane) : warp.block;
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
        int count = tensor ? 2 : 3;
        Decoder.require(instruction, layout, instruction.operands().size(), operands.size() == count);
        AddressOperand place = address(1);
        Source source = tensor ? box(0) : line(address(0), 2);
        String operation = reduces() ? operation() : null;
        // A line's elements are named by the instruction, those of a tensor by its map.
        Combination lines = reduces() && !tensor ? new Combination(operation, Decoder.type(instruction, layout)) : null;
        if (lines != null && !lines.isReduction()) {
            throw layout.unsupported(
                    instruction,
                    ".%s has no type .%s".formatted(operation, lines.type().text()));
        }
        return (warp, mask) -> {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                place.resolve(warp, 1 << lane, warp.addresses);
                Chunks chunks = source.chunks(warp, lane, (int) warp.addresses[lane]);
                Combination change = operation == null || !tensor
                        ? lines
                        : ofTensor(warp, lane, operation, source.element(warp, lane));
                warp.block.bulk.store(warp, lane, chunks, change);
            }
        };
    }

    private String operation() {
        return OPERATIONS.stream()
                .filter(instruction::has)
                .findFirst()
                .orElseThrow(() -> layout.unsupported(instruction, "the emulator does not know this reduction"));
    }

    private static Combination ofTensor(Warp warp, int lane, String operation, TensorMap.Element element) {
        boolean logic = List.of("and", "or", "xor").contains(operation);
        Combination change = new Combination(
                operation,
                switch (element) {
                    case UINT8 -> PtxType.U8;
                    case UINT16 -> PtxType.U16;
                    case UINT32 -> logic ? PtxType.B32 : PtxType.U32;
                    case BFLOAT16 -> PtxType.BF16;
                    case FLOAT32 -> PtxType.F32;
                });
        if (!change.isReduction()) {
            throw warp.fault(TRAP, lane, "there is no .%s for a tensor of %s".formatted(operation, element));
        }
        return change;
    }

    /// What a lane copies.
    private interface Source {
        /// @param shared where it is in shared memory
        Chunks chunks(Warp warp, int lane, int shared);

        /// What a tensor is made of.
        default TensorMap.Element element(Warp warp, int lane) {
            throw new IllegalStateException("a line has no elements");
        }
    }

    private static long place(AddressOperand operand, Warp warp, int lane, int alignment) {
        operand.resolve(warp, 1 << lane, warp.addresses);
        return aligned(warp, lane, warp.addresses[lane], alignment);
    }

    private static long aligned(Warp warp, int lane, long address, int alignment) {
        if (address % alignment != 0) {
            throw warp.fault(
                    MISALIGNED, lane, "the address %#x must be a multiple of %d".formatted(address, alignment));
        }
        return address;
    }

    private Source line(AddressOperand global, int sizeOperand) {
        int size = layout.source(instruction, operands.get(sizeOperand), PtxType.U32);
        return (warp, lane, shared) -> {
            warp.registers.requireWord(warp, size, 1 << lane);
            int bytes = warp.registers.words[size * 32 + lane];
            if (bytes < 0 || bytes % Chunks.BYTES != 0) {
                throw warp.fault(TRAP, lane, "a bulk copy moves a multiple of 16 bytes: got " + bytes);
            }
            aligned(warp, lane, shared, Chunks.BYTES);
            Chunks chunks = Chunks.line(shared, place(global, warp, lane, Chunks.BYTES), bytes);
            warp.block.execution.traffic.bulk(warp.at, chunks);
            return chunks;
        };
    }

    private Source box(int mapOperand) {
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
            public Chunks chunks(Warp warp, int lane, int shared) {
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
                Chunks chunks = Chunks.box(map, start, (int) aligned(warp, lane, shared, 128));
                warp.block.execution.traffic.bulk(warp.at, chunks);
                return chunks;
            }

            @Override
            public TensorMap.Element element(Warp warp, int lane) {
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
                case CONSTANT -> warp.block.execution.program.constants.load(warp, 1 << lane, Integer.BYTES);
                case GLOBAL -> warp.block.execution.global.load(warp, 1 << lane, Integer.BYTES, Access.CONSTANT);
                default -> throw warp.fault(TRAP, lane, "a tensor map is a parameter, or in constant or global memory");
            }
            words[i] = warp.staging[lane];
        }
        return TensorMaps.decode(warp, lane, words);
    }
}
