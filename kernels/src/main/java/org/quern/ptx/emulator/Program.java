package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxModule.Parameter;
import org.quern.ptx.syntax.PtxModule.Variable;
import org.quern.ptx.syntax.StateSpace;
import org.quern.ptx.syntax.Statement;
import org.quern.ptx.syntax.Statement.Instruction;

/// A kernel, decoded for one device.
final class Program {
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

    /// Decodes an entry.
    ///
    /// @param globals the module's variables in global and constant memory
    /// @param sharedStart where shared memory begins
    Program(PtxModule module, Entry entry, ModuleVariables globals, int sharedStart) {
        name = entry.name();
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
        for (int i = 0; i < instructions.length; i++) {
            Instruction instruction = instructions[i];
            lines[i] = instruction.line();
            operations[i] = decoder.decode(instruction);
            if (instruction.guard() != null) {
                guards[i] = layout.guard(instruction);
                flips[i] = instruction.guardNegated() ? -1 : 0;
            }
        }
    }

    private static int align(int offset, int alignment) {
        return (int) align((long) offset, alignment);
    }

    private static long align(long offset, int alignment) {
        return (offset + alignment - 1) / alignment * alignment;
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
}
