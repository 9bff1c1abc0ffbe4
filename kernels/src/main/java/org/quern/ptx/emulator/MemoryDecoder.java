package org.quern.ptx.emulator;

import java.util.List;
import java.util.Set;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.StateSpace;
import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes instructions that touch memory, convert addresses or multiply matrices.
final class MemoryDecoder {
    /// What changes speed at most.
    private static final Set<String> HINTS = Set.of(
            "ca",
            "cg",
            "cs",
            "lu",
            "cv",
            "wb",
            "wt",
            "weak",
            "cta",
            "gpu",
            "sys",
            "cluster",
            "L1::evict_normal",
            "L1::evict_unchanged",
            "L1::evict_first",
            "L1::evict_last",
            "L1::no_allocate",
            "L2::evict_last",
            "L2::evict_normal",
            "L2::evict_first",
            "L2::cache_hint",
            "L2::64B",
            "L2::128B",
            "L2::256B");

    private static final Set<String> SPACES =
            Set.of("global", "shared", "shared::cta", "shared::cluster", "local", "param", "const");
    private static final Set<String> STRONG = Set.of("volatile", "relaxed", "acquire", "release", "acq_rel");

    private final Instruction instruction;
    private final RegisterLayout layout;
    private final List<Operand> operands;

    private MemoryDecoder(Instruction instruction, RegisterLayout layout) {
        this.instruction = instruction;
        this.layout = layout;
        // The last operand of a hinted access is the policy.
        List<Operand> all = instruction.operands();
        operands = instruction.has("L2::cache_hint") ? all.subList(0, all.size() - 1) : all;
    }

    /// The operation; null if it is none of these.
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        MemoryDecoder decoder = new MemoryDecoder(instruction, layout);
        return switch (instruction.opcode()) {
            case "ld" -> decoder.load();
            case "st" -> decoder.store();
            case "atom", "red" -> decoder.atomic();
            case "cp" -> decoder.copy();
            case "ldmatrix" -> decoder.matrixLoad();
            case "stmatrix" -> decoder.matrixStore();
            case "mma" -> decoder.matrixMultiply();
            case "cvta" -> decoder.convertAddress();
            case "isspacep" -> decoder.isInSpace();
            case "createpolicy" -> decoder.policy();
            default -> null;
        };
    }

    private void requireOperands(int count) {
        Decoder.require(instruction, layout, count + instruction.operands().size() - operands.size(), true);
    }

    /// Faults at modifiers that are neither hints nor known to the caller.
    private void requireKnown(Set<String> known) {
        for (String modifier :
                instruction.modifiers().subList(0, instruction.modifiers().size() - 1)) {
            if (!HINTS.contains(modifier) && !SPACES.contains(modifier) && !known.contains(modifier)) {
                throw layout.unsupported(instruction, "the emulator does not know ." + modifier);
            }
        }
    }

    private StateSpace space() {
        for (String modifier : instruction.modifiers()) {
            switch (modifier) {
                case "global" -> {
                    return StateSpace.GLOBAL;
                }
                case "shared", "shared::cta", "shared::cluster" -> {
                    return StateSpace.SHARED;
                }
                case "local" -> {
                    return StateSpace.LOCAL;
                }
                case "param" -> {
                    return StateSpace.PARAMETER;
                }
                case "const" -> {
                    return StateSpace.CONSTANT;
                }
                default -> {}
            }
        }
        return StateSpace.GENERIC;
    }

    private boolean ofCluster() {
        return instruction.has("shared::cluster");
    }

    private int flags() {
        return instruction.has("nc")
                ? Access.CONSTANT
                : instruction.modifiers().stream().anyMatch(STRONG::contains) ? Access.STRONG : 0;
    }

    private AddressOperand address(int operand) {
        return AddressOperand.of(instruction, operands.get(operand), layout);
    }

    /// The registers of `{a, b}`, or of a single one.
    private List<Operand> elements(Operand operand) {
        int count = instruction.has("v4") ? 4 : instruction.has("v2") ? 2 : 1;
        List<Operand> elements = operand instanceof Operand.Vector vector ? vector.elements() : List.of(operand);
        if (elements.size() != count) {
            throw layout.mismatch(instruction, operand, count + " registers");
        }
        return elements;
    }

    private Operation load() {
        requireKnown(Set.of("volatile", "relaxed", "acquire", "nc", "v2", "v4"));
        requireOperands(2);
        PtxType type = Decoder.type(instruction, layout);
        List<Operand> elements = elements(operands.getFirst());
        PtxType register = type;
        for (Operand element : elements) {
            PtxType declared = layout.declaredType(element);
            register = declared != null && declared.bytes() > register.bytes() ? declared : register;
        }
        PtxType wide = register;
        int[] slots = elements.stream()
                .mapToInt(e -> layout.destination(instruction, e, wide))
                .toArray();
        boolean signed = type == PtxType.S8 || type == PtxType.S16 || type == PtxType.S32;
        return new Load(
                space(),
                ofCluster(),
                address(1),
                type.bytes(),
                signed,
                slots,
                wide.bytes(),
                flags(),
                instruction.has("acquire"));
    }

    private Operation store() {
        requireKnown(Set.of("volatile", "relaxed", "release", "v2", "v4"));
        requireOperands(2);
        PtxType type = Decoder.type(instruction, layout);
        List<Operand> elements = elements(operands.get(1));
        int[] slots = new int[elements.size()];
        RegisterFile[] files = new RegisterFile[slots.length];
        for (int i = 0; i < slots.length; i++) {
            PtxType declared = layout.declaredType(elements.get(i));
            PtxType source = declared != null && declared.bytes() > type.bytes() ? declared : type;
            slots[i] = layout.source(instruction, elements.get(i), source);
            files[i] = RegisterFile.of(source);
        }
        return new Store(
                space(), ofCluster(), address(0), type.bytes(), slots, files, flags(), instruction.has("release"));
    }

    private Operation atomic() {
        boolean reduction = instruction.opcode().equals("red");
        List<String> modifiers = instruction.modifiers();
        String operation = modifiers.stream()
                .filter(m -> Set.of("and", "or", "xor", "cas", "exch", "add", "inc", "dec", "min", "max")
                        .contains(m))
                .findFirst()
                .orElseThrow(() -> layout.unsupported(instruction, "the emulator does not know this operation"));
        requireKnown(Set.of("relaxed", "acquire", "release", "acq_rel", operation));
        PtxType type = Decoder.type(instruction, layout);
        Combination combination = new Combination(operation, type);
        if (!combination.isAtomic()) {
            throw layout.unsupported(instruction, ".%s has no type .%s".formatted(operation, type.text()));
        }
        boolean swap = operation.equals("cas");
        int first = reduction ? 0 : 1;
        requireOperands(first + (swap ? 3 : 2));
        return new Atomic(
                space(),
                ofCluster(),
                address(first),
                combination,
                reduction ? RegisterLayout.SINK : layout.destination(instruction, operands.getFirst(), type),
                layout.source(instruction, operands.get(first + 1), type),
                swap ? layout.source(instruction, operands.get(first + 2), type) : RegisterLayout.SINK,
                instruction.has("acquire") || instruction.has("acq_rel"),
                instruction.has("release") || instruction.has("acq_rel"));
    }

    private Operation copy() {
        if (!instruction.has("async") || instruction.has("bulk")) {
            return null;
        }
        if (instruction.has("commit_group")) {
            return (warp, mask) -> warp.copies.commit(mask);
        }
        if (instruction.has("wait_all")) {
            return (warp, mask) -> warp.copies.awaitAll(mask);
        }
        if (instruction.has("wait_group")) {
            if (!(Decoder.operand(instruction, 0) instanceof Operand.Immediate groups) || groups.bits() < 0) {
                throw layout.mismatch(instruction, operands.getFirst(), "a number of groups");
            }
            int open = Math.toIntExact(groups.bits());
            return (warp, mask) -> warp.copies.await(mask, open);
        }
        boolean global = instruction.has("cg");
        boolean known = (global || instruction.has("ca"))
                && (instruction.has("shared") || instruction.has("shared::cta"))
                && instruction.has("global");
        if (!known) {
            return null;
        }
        if (operands.size() < 3 || operands.size() > 4) {
            throw layout.unsupported(instruction, "takes 3 or 4 operands");
        }
        if (!(operands.get(2) instanceof Operand.Immediate bytes)
                || bytes.bits() != 16 && (global || bytes.bits() != 4 && bytes.bits() != 8)) {
            throw layout.mismatch(instruction, operands.get(2), global ? "16" : "4, 8 or 16");
        }
        int sourceBytes = 0;
        int ignore = 0;
        boolean negated = false;
        if (operands.size() == 4) {
            Operand fourth = operands.get(3);
            if (layout.declaredType(fourth) == PtxType.PRED) {
                ignore = layout.predicate(instruction, fourth);
                negated = RegisterLayout.negated(fourth);
            } else {
                sourceBytes = layout.source(instruction, fourth, PtxType.U32);
            }
        }
        return new AsyncCopy(address(0), address(1), (int) bytes.bits(), sourceBytes, ignore, negated);
    }

    private int[] words(Operand operand, int count, boolean written) {
        List<Operand> elements = operand instanceof Operand.Vector vector ? vector.elements() : List.of(operand);
        if (elements.size() != count) {
            throw layout.mismatch(instruction, operand, count + " registers");
        }
        return elements.stream()
                .mapToInt(e -> written
                        ? layout.destination(instruction, e, PtxType.B32)
                        : layout.source(instruction, e, PtxType.B32))
                .toArray();
    }

    private Operation matrixLoad() {
        int count = matrices();
        return new MatrixLoad(address(1), words(operands.getFirst(), count, true), instruction.has("trans"));
    }

    private Operation matrixStore() {
        int count = matrices();
        return new MatrixStore(address(0), words(operands.get(1), count, false), instruction.has("trans"));
    }

    private int matrices() {
        boolean known = instruction.has("sync")
                && instruction.has("aligned")
                && instruction.has("m8n8")
                && instruction.modifiers().getLast().equals("b16")
                && space() == StateSpace.SHARED
                && !ofCluster();
        Decoder.require(instruction, layout, 2, known);
        return instruction.has("x4") ? 4 : instruction.has("x2") ? 2 : 1;
    }

    private Operation matrixMultiply() {
        List<String> modifiers = instruction.modifiers();
        boolean half = modifiers.size() == 9 && modifiers.get(6).equals("f16");
        String element = half ? "f16" : "bf16";
        boolean known = modifiers.size() == 9
                && modifiers.subList(0, 2).equals(List.of("sync", "aligned"))
                && (modifiers.get(2).equals("m16n8k16") || modifiers.get(2).equals("m16n8k8"))
                && modifiers.subList(3, 9).equals(List.of("row", "col", "f32", element, element, "f32"));
        Decoder.require(instruction, layout, 4, known);
        int halves = modifiers.get(2).equals("m16n8k16") ? 2 : 1;
        return new MatrixMultiply(
                half,
                words(operands.get(0), 4, true),
                words(operands.get(1), 2 * halves, false),
                words(operands.get(2), halves, false),
                words(operands.get(3), 4, false));
    }

    private Operation convertAddress() {
        requireKnown(Set.of("to"));
        requireOperands(2);
        PtxType type = Decoder.type(instruction, layout);
        Decoder.require(instruction, layout, 2, type == PtxType.U64);
        long window = Spaces.window(space());
        long added = instruction.has("to") ? -window : window;
        int destination = layout.destination(instruction, operands.getFirst(), type);
        int source = layout.source(instruction, operands.get(1), type);
        return (warp, mask) -> {
            Registers registers = warp.registers;
            registers.requireLong(warp, source, mask);
            for (int lane = 0; lane < 32; lane++) {
                if ((mask >>> lane & 1) != 0) {
                    registers.longs[destination * 32 + lane] = registers.longs[source * 32 + lane] + added;
                }
            }
            registers.longsDefined[destination] |= mask;
        };
    }

    private Operation isInSpace() {
        Decoder.require(instruction, layout, 2, space() != StateSpace.GENERIC);
        StateSpace asked = space();
        boolean ofCluster = ofCluster();
        int destination = layout.destination(instruction, operands.getFirst(), PtxType.PRED);
        int source = layout.source(instruction, operands.get(1), PtxType.U64);
        return (warp, mask) -> {
            Registers registers = warp.registers;
            registers.requireLong(warp, source, mask);
            int inside = 0;
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long address = registers.longs[source * 32 + lane];
                boolean reached = asked != StateSpace.SHARED
                        || ofCluster
                        || Cluster.rank(warp, address - Spaces.window(asked)) == warp.block.rank;
                inside |= Spaces.of(address) == asked && reached ? 1 << lane : 0;
            }
            registers.predicates[destination] = registers.predicates[destination] & ~mask | inside;
            registers.predicatesDefined[destination] |= mask;
        };
    }

    /// Policies say nothing to the emulator.
    private Operation policy() {
        int destination = layout.destination(instruction, operands.getFirst(), PtxType.B64);
        return (warp, mask) -> {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                warp.registers.longs[destination * 32 + Integer.numberOfTrailingZeros(rest)] = 0;
            }
            warp.registers.longsDefined[destination] |= mask;
        };
    }
}
