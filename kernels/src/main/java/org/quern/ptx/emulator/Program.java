package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxModule.Parameter;
import org.quern.ptx.syntax.PtxModule.Variable;
import org.quern.ptx.syntax.StateSpace;
import org.quern.ptx.syntax.Statement;
import org.quern.ptx.syntax.Statement.Instruction;

/// A kernel, decoded for one device.
final class Program {
    /// Of a multiprocessor.
    private static final int REGISTERS = 65_536;
    /// Of a thread.
    private static final int MOST_REGISTERS = 256;

    final String name;
    final RegisterLayout layout;
    final Operation[] operations;
    /// By operation.
    final Instruction[] instructions;
    final int[] lines;
    private final String[] texts;
    /// Slot of the guard; 0 if there is none.
    final int[] guards;
    /// All ones where the guard is negated.
    final int[] flips;
    /// Of the block, from the start of its shared memory on, without dynamic memory.
    final int staticSharedBytes;
    final int localBytes;
    final int parameterBytes;
    final ConstantSpace constants;
    /// Whether there are products of warpgroups.
    final boolean multiplies;
    /// The blocks of a cluster; one if there are no clusters.
    final Dim cluster;
    final boolean isExplicitCluster;
    /// A thread's where a block may hand registers from warp to warp: as many as the directives let all have, in
    /// eights; 0 if they do not say.
    final int registersAtStart;

    /// Decodes an entry.
    ///
    /// @param globals the module's variables in global and constant memory
    /// @param sharedStart where shared memory begins
    Program(PtxModule module, Entry entry, ModuleVariables globals, int sharedStart) {
        name = entry.name();
        List<Integer> clusterSizes = entry.directives().getOrDefault("reqnctapercluster", List.of());
        isExplicitCluster = !clusterSizes.isEmpty();
        registersAtStart = registersAtStart(entry.directives());
        cluster = new Dim(size(clusterSizes, 0), size(clusterSizes, 1), size(clusterSizes, 2));
        constants = globals.constants;
        Map<String, Long> addresses = new HashMap<>(globals.addresses);
        int parameters = 0;
        for (Parameter parameter : entry.parameters()) {
            parameters = align(parameters, parameter.alignment());
            addresses.put(parameter.name(), (long) parameters);
            parameters += parameter.bytes();
        }
        parameterBytes = parameters;
        List<Variable> variables = java.util.stream.Stream.concat(
                        module.variables().stream(), entry.variables().stream())
                .toList();
        long shared = sharedStart;
        long local = Spaces.LOCAL_START;
        for (Variable variable : variables) {
            if (variable.space() == StateSpace.SHARED && variable.bytes() > 0) {
                shared = align(shared, variable.alignment());
                addresses.put(variable.name(), shared);
                shared += variable.bytes();
            } else if (variable.space() == StateSpace.LOCAL) {
                local = align(local, variable.alignment());
                addresses.put(variable.name(), local);
                local += variable.bytes();
            }
        }
        // Dynamic shared memory lies behind the static variables; all external variables begin there.
        int alignment = 1;
        for (Variable variable : variables) {
            if (variable.space() == StateSpace.SHARED && variable.bytes() == 0) {
                alignment = Math.max(alignment, variable.alignment());
            }
        }
        shared = align(shared, alignment);
        for (Variable variable : variables) {
            if (variable.space() == StateSpace.SHARED && variable.bytes() == 0) {
                addresses.put(variable.name(), shared);
            }
        }
        staticSharedBytes = Math.toIntExact(shared - sharedStart);
        localBytes = Math.toIntExact(local);
        layout = new RegisterLayout(entry, addresses);

        Map<String, Integer> labels = new HashMap<>();
        List<Instruction> list = new java.util.ArrayList<>();
        Map<String, List<String>> targets = new HashMap<>();
        for (Statement statement : entry.body()) {
            switch (statement) {
                case Statement.Label label -> labels.put(label.name(), list.size());
                case Statement.BranchTargets branch -> targets.put(branch.name(), branch.labels());
                case Instruction instruction -> list.add(instruction);
            }
        }
        // A body may end without `ret`, or at a label.
        list.add(new Instruction(
                null,
                false,
                "ret",
                List.of(),
                List.of(),
                list.isEmpty() ? entry.line() : list.getLast().line()));
        if (list.size() > Access.MAX_INSTRUCTIONS) {
            throw new EmulatorFault(
                    UNSUPPORTED,
                    entry.line(),
                    "%s has %,d instructions: the emulator takes at most %,d"
                            .formatted(name, list.size(), Access.MAX_INSTRUCTIONS));
        }
        instructions = list.toArray(Instruction[]::new);
        operations = new Operation[instructions.length];
        lines = new int[instructions.length];
        texts = new String[instructions.length];
        guards = new int[instructions.length];
        flips = new int[instructions.length];
        Decoder decoder = new Decoder(layout, labels, targets);
        Set<String> products = new HashSet<>();
        for (Instruction instruction : instructions) {
            if (isProduct(instruction)) {
                instruction.operands().forEach(operand -> addRegisters(operand, products));
            }
        }
        multiplies = !products.isEmpty();
        for (int i = 0; i < instructions.length; i++) {
            Instruction instruction = instructions[i];
            lines[i] = instruction.line();
            requireTarget(instruction, module);
            operations[i] = watched(decoder.decode(instruction), instruction, products);
            if (instruction.guard() != null) {
                guards[i] = layout.guard(instruction);
                flips[i] = instruction.guardNegated() ? -1 : 0;
            }
        }
    }

    private static int size(List<Integer> sizes, int dimension) {
        return dimension < sizes.size() ? sizes.get(dimension) : 1;
    }

    /// Faults if the module's target lacks an instruction.
    private void requireTarget(Instruction instruction, PtxModule module) {
        String needed = switch (instruction.opcode()) {
            case "wgmma", "setmaxnreg" -> "sm_90a";
            case "elect", "stmatrix", "mapa", "getctarank" -> "sm_90";
            case "barrier" -> instruction.has("cluster") ? "sm_90" : "";
            case "cp" -> instruction.has("bulk") ? "sm_90" : "";
            case "fence" ->
                instruction.has("proxy") || instruction.has("mbarrier_init") || instruction.has("cluster")
                        ? "sm_90"
                        : "";
            case "mbarrier" ->
                instruction.has("try_wait") || instruction.has("expect_tx") || instruction.has("complete_tx")
                        ? "sm_90"
                        : "";
            default -> "";
        };
        boolean enough = needed.equals("sm_90a")
                ? module.target().equals(needed)
                : needed.isEmpty() || module.architecture() >= 90;
        if (!enough) {
            throw layout.unsupported(instruction, "needs .target %s, not %s".formatted(needed, module.target()));
        }
    }

    private static boolean isProduct(Instruction instruction) {
        return instruction.opcode().equals("wgmma") && instruction.has("mma_async");
    }

    private static void addRegisters(Operand operand, Set<String> names) {
        switch (operand) {
            case Operand.Register register -> names.add(register.name());
            case Operand.Vector vector -> vector.elements().forEach(element -> addRegisters(element, names));
            case Operand.Pair pair -> {
                addRegisters(pair.first(), names);
                addRegisters(pair.second(), names);
            }
            case Operand.Address address -> {
                addRegisters(address.base(), names);
                address.coordinates().forEach(coordinate -> addRegisters(coordinate, names));
            }
            case Operand.Immediate _, Operand.Symbol _, Operand.Sink _ -> {}
        }
    }

    /// An operation that says so before it touches registers of matrix products.
    ///
    /// @param products the registers that they use, by name
    private Operation watched(Operation operation, Instruction instruction, Set<String> products) {
        if (products.isEmpty() || isProduct(instruction)) {
            return operation;
        }
        Set<String> own = new HashSet<>();
        instruction.operands().forEach(operand -> addRegisters(operand, own));
        own.retainAll(products);
        int[] slots = own.stream()
                .mapToInt(layout::word)
                .filter(slot -> slot >= 0)
                .sorted()
                .toArray();
        return slots.length == 0 ? operation : new Watched(operation, slots);
    }

    private record Watched(Operation operation, int[] slots) implements Operation {
        @Override
        public void execute(Warp warp, int mask) {
            warp.products.touch(slots);
            operation.execute(warp, mask);
        }

        @Override
        public int flops() {
            return operation.flops();
        }

        @Override
        public boolean specialFunction() {
            return operation.specialFunction();
        }
    }

    private static int align(int offset, int alignment) {
        return (int) align((long) offset, alignment);
    }

    private static long align(long offset, int alignment) {
        return (offset + alignment - 1) / alignment * alignment;
    }

    /// Those whose accesses to shared memory are told apart: the warps of a block, and if it multiplies after
    /// them its warpgroups, for what their products read.
    int actors(int warps) {
        return warps + (multiplies ? Math.ceilDiv(warps, 4) : 0);
    }

    /// All shared memory of a block.
    int sharedBytes(int dynamic) {
        return staticSharedBytes + dynamic;
    }

    /// An instruction as text.
    String text(int instruction) {
        if (texts[instruction] == null) {
            texts[instruction] = Listing.of(instructions[instruction]);
        }
        return texts[instruction];
    }

    /// `line 12 (ld.shared.u32 r1, [r2])`.
    String where(int instruction) {
        return "line %d (%s)".formatted(lines[instruction], text(instruction));
    }

    private static int registersAtStart(Map<String, List<Integer>> directives) {
        if (directives.containsKey("maxnreg")) {
            return directives.get("maxnreg").getFirst();
        }
        List<Integer> block = directives.getOrDefault("reqntid", directives.get("maxntid"));
        if (block == null || !directives.containsKey("minnctapersm")) {
            return 0;
        }
        int threads = block.stream().reduce(1, (a, b) -> a * b)
                * directives.get("minnctapersm").getFirst();
        return Math.min(MOST_REGISTERS, REGISTERS / threads / 8 * 8);
    }
}
