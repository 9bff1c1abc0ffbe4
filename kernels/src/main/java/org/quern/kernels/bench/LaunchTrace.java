package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongPredicate;
import org.quern.ptx.emulator.Trace;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.Statement.Instruction;

/// What the warps of some blocks of a launch ran, as far as time depends on it.
final class LaunchTrace {
    private static final int SECTOR_SHIFT = 5;
    private static final int WARP = 32;
    /// Bytes of all lanes that an access to memory moves at a time.
    private static final int WAVEFRONT_BYTES = 128;

    private static final Set<String> SPECIAL = Set.of("ex2", "lg2", "rcp", "sqrt", "rsqrt", "tanh", "sin", "cos");
    /// Whose first operand is read.
    private static final Set<String> WITHOUT_RESULT =
            Set.of("st", "red", "bar", "barrier", "bra", "ret", "exit", "trap", "membar", "fence");

    /// What carries out an instruction.
    enum Kind {
        /// Nobody: assemblers rename registers instead.
        MOVE,
        ARITHMETIC,
        SPECIAL_FUNCTION,
        SHUFFLE,
        SHARED_MEMORY,
        GLOBAL_MEMORY,
        BRANCH,
        BARRIER
    }

    /// An instruction.
    ///
    /// @param reads numbers of registers
    /// @param writes the same
    /// @param wavefronts of an access to memory
    record Op(Kind kind, int[] reads, int[] writes, int wavefronts) {}

    /// One that a warp ran.
    ///
    /// @param sectors of global memory that it touched
    record Step(Op op, long[] sectors) {}

    private static final long[] NOWHERE = {};

    private final String kernel;
    private final int warps;
    private final Map<Instruction, Op> ops = new IdentityHashMap<>();
    private final Map<String, Integer> registers = new HashMap<>();
    /// By block, in the order they ran, and warp.
    private final List<List<List<Step>>> blocks = new ArrayList<>();
    private long block = -1;

    LaunchTrace(String kernel, int warps) {
        this.kernel = kernel;
        this.warps = warps;
    }

    /// Traces launches, each as one more element of `launches`.
    ///
    /// @param blocks those that are looked at, by index
    static Trace into(List<LaunchTrace> launches, LongPredicate blocks) {
        return new Trace() {
            @Override
            public void begin(String kernel, int warps) {
                launches.add(new LaunchTrace(kernel, warps));
            }

            @Override
            public void ran(long block, int warp, Instruction instruction, int lanes, long[] addresses) {
                if (blocks.test(block)) {
                    launches.getLast().add(block, warp, instruction, lanes, addresses);
                }
            }
        };
    }

    String kernel() {
        return kernel;
    }

    /// Of a block.
    int warps() {
        return warps;
    }

    int registers() {
        return registers.size();
    }

    List<List<List<Step>>> blocks() {
        return blocks;
    }

    private void add(long index, int warp, Instruction instruction, int lanes, long[] addresses) {
        if (index != block) {
            block = index;
            List<List<Step>> steps = new ArrayList<>();
            for (int i = 0; i < warps; i++) {
                steps.add(new ArrayList<>());
            }
            blocks.add(steps);
        }
        Op op = ops.computeIfAbsent(instruction, this::op);
        long[] sectors = op.kind == Kind.GLOBAL_MEMORY ? sectors(lanes, addresses, accessBytes(instruction)) : NOWHERE;
        blocks.getLast().get(warp).add(new Step(op, sectors));
    }

    private static long[] sectors(int lanes, long[] addresses, int bytes) {
        long[] touched = new long[2 * WARP];
        int count = 0;
        for (int lane = 0; lane < WARP; lane++) {
            if ((lanes >>> lane & 1) != 0) {
                touched[count++] = addresses[lane] >>> SECTOR_SHIFT;
                touched[count++] = addresses[lane] + bytes - 1 >>> SECTOR_SHIFT;
            }
        }
        return Arrays.stream(touched, 0, count).distinct().toArray();
    }

    private Op op(Instruction instruction) {
        Set<Integer> reads = new LinkedHashSet<>();
        Set<Integer> writes = new LinkedHashSet<>();
        if (instruction.guard() != null) {
            reads.add(register(instruction.guard()));
        }
        for (int i = 0; i < instruction.operands().size(); i++) {
            boolean result = i == 0 && !WITHOUT_RESULT.contains(instruction.opcode());
            addRegisters(instruction.operands().get(i), result ? writes : reads);
        }
        Kind kind = kind(instruction);
        boolean memory = kind == Kind.SHARED_MEMORY || kind == Kind.GLOBAL_MEMORY;
        int wavefronts = memory ? Math.max(1, WARP * accessBytes(instruction) / WAVEFRONT_BYTES) : 1;
        return new Op(kind, numbers(reads), numbers(writes), wavefronts);
    }

    private static Kind kind(Instruction instruction) {
        return switch (instruction.opcode()) {
            case "mov" -> Kind.MOVE;
            case "bra" -> Kind.BRANCH;
            case "shfl", "redux" -> Kind.SHUFFLE;
            case "bar", "barrier" -> instruction.has("warp") ? Kind.ARITHMETIC : Kind.BARRIER;
            case "ld", "st", "red", "atom" ->
                instruction.has("global")
                        ? Kind.GLOBAL_MEMORY
                        : instruction.has("shared") || instruction.has("shared::cta")
                                ? Kind.SHARED_MEMORY
                                : Kind.ARITHMETIC;
            default -> SPECIAL.contains(instruction.opcode()) ? Kind.SPECIAL_FUNCTION : Kind.ARITHMETIC;
        };
    }

    /// Of a lane: `v4.b32` has 16.
    private static int accessBytes(Instruction instruction) {
        int bytes = 1;
        for (String modifier : instruction.modifiers()) {
            if (modifier.matches("v[24]")) {
                bytes *= modifier.charAt(1) - '0';
            } else if (modifier.matches("[bfsu](8|16|32|64)")) {
                bytes *= Integer.parseInt(modifier.substring(1)) / Byte.SIZE;
            }
        }
        return bytes;
    }

    private void addRegisters(Operand operand, Set<Integer> numbers) {
        switch (operand) {
            case Operand.Register register -> numbers.add(register(register.name()));
            case Operand.Vector vector -> vector.elements().forEach(element -> addRegisters(element, numbers));
            case Operand.Pair pair -> {
                addRegisters(pair.first(), numbers);
                addRegisters(pair.second(), numbers);
            }
            case Operand.Address address -> addRegisters(address.base(), numbers);
            case Operand.Immediate _, Operand.Symbol _, Operand.Sink _ -> {}
        }
    }

    private int register(String name) {
        return registers.computeIfAbsent(name, _ -> registers.size());
    }

    private static int[] numbers(Set<Integer> set) {
        return set.stream().mapToInt(Integer::intValue).toArray();
    }
}
