package org.quern.ptx.emulator;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/// What a launch did, in the units that decide its speed on hardware.
///
/// @param kernel its name
/// @param instructions run by warps, by opcode
/// @param flops floating-point operations of all lanes; a fused multiply-add counts as two
/// @param matrixFlops those of matrix instructions among them
/// @param specialFunctions exponentials, logarithms, roots, reciprocals and tanh, of all lanes
/// @param barriers warps that came to a barrier of the block
/// @param accesses every instruction that touched shared or global memory, in the order of the program
public record Statistics(
        String kernel,
        SortedMap<String, Long> instructions,
        long flops,
        long matrixFlops,
        long specialFunctions,
        long barriers,
        List<Accesses> accesses) {
    private static final Set<String> MATRIX_OPCODES = Set.of("mma", "wgmma");

    /// What one instruction did in memory, all warps together.
    ///
    /// @param line of the PTX text
    /// @param text of the instruction
    /// @param count how often it ran, in warps
    /// @param wavefronts of shared memory: passes through its 32 banks
    /// @param idealWavefronts what they would be without bank conflicts
    /// @param requests to global memory
    /// @param sectors of 32 bytes that the requests touched
    /// @param bytes of global memory that lanes asked for
    public record Accesses(
            int line,
            String text,
            long count,
            long wavefronts,
            long idealWavefronts,
            long requests,
            long sectors,
            long bytes) {

        /// Wavefronts lost.
        public long bankConflicts() {
            return wavefronts - idealWavefronts;
        }

        /// Sectors that more than hold what was asked for.
        public long wastedSectors() {
            return Math.max(0, sectors - (bytes + 31) / 32);
        }
    }

    static Statistics of(Program program, Counters counters) {
        SortedMap<String, Long> instructions = new TreeMap<>();
        long flops = 0;
        long matrixFlops = 0;
        long special = 0;
        long barriers = 0;
        List<Accesses> accesses = new ArrayList<>();
        for (int i = 0; i < program.operations.length; i++) {
            long count = counters.instructions[i];
            if (count == 0) {
                continue;
            }
            String opcode = program.instructions[i].opcode();
            instructions.merge(opcode, count, Long::sum);
            long own = counters.lanes[i] * program.operations[i].flops();
            flops += own;
            matrixFlops += MATRIX_OPCODES.contains(opcode) ? own : 0;
            special += program.operations[i].specialFunction() ? counters.lanes[i] : 0;
            if (opcode.equals("barrier") || opcode.equals("bar") && !program.instructions[i].has("warp")) {
                barriers += count;
            }
            if (counters.wavefronts[i] > 0 || counters.requests[i] > 0) {
                accesses.add(new Accesses(
                        program.lines[i],
                        program.text(i),
                        count,
                        counters.wavefronts[i],
                        counters.idealWavefronts[i],
                        counters.requests[i],
                        counters.sectors[i],
                        counters.bytes[i]));
            }
        }
        return new Statistics(
                program.name,
                Collections.unmodifiableSortedMap(instructions),
                flops,
                matrixFlops,
                special,
                barriers,
                List.copyOf(accesses));
    }

    /// All instructions run by warps.
    public long instructionCount() {
        return instructions.values().stream().mapToLong(Long::longValue).sum();
    }

    /// What the instructions of a line did in memory.
    public List<Accesses> line(int line) {
        return accesses.stream().filter(a -> a.line() == line).toList();
    }

    public long wavefronts() {
        return accesses.stream().mapToLong(Accesses::wavefronts).sum();
    }

    public long bankConflicts() {
        return accesses.stream().mapToLong(Accesses::bankConflicts).sum();
    }

    public long sectors() {
        return accesses.stream().mapToLong(Accesses::sectors).sum();
    }

    public long requests() {
        return accesses.stream().mapToLong(Accesses::requests).sum();
    }

    /// Bytes of global memory that lanes asked for.
    public long bytes() {
        return accesses.stream().mapToLong(Accesses::bytes).sum();
    }
}
