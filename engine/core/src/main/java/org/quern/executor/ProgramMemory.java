package org.quern.executor;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.quern.gpu.DeviceProperties;
import org.quern.graph.DType;
import org.quern.graph.EightBits;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.MixedPrecision;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Schedule;
import org.quern.graph.Value;
import org.quern.kernels.cuda.Fp8Matrix;

/// What programs take of a device's memory together: an executor allocates so much, and a plan says it before there
/// is a device. Each state is there once; the arena and the kernels' scratch are as large as the program with the
/// largest needs.
public final class ProgramMemory {
    private final Optional<DeviceProperties> gpu;
    private final MatMuls matMuls;
    private final Map<String, Value> states = new LinkedHashMap<>();
    private final Map<String, Value> workingCopies = new LinkedHashMap<>();
    private final Map<Quantized, Long> quantized = new LinkedHashMap<>();
    private final Set<Op.RopeFrequencies> tables = new LinkedHashSet<>();
    private long arenaBytes;
    private long scratchBytes;

    /// @param gpu the device; empty for the CPU, whose kernels' tables and scratch are not counted
    /// @param provider of a GPU's matrix products
    public ProgramMemory(Optional<DeviceProperties> gpu, KernelProvider provider) {
        this(gpu, provider.matMuls());
    }

    ProgramMemory(Optional<DeviceProperties> gpu, MatMuls matMuls) {
        this.gpu = gpu;
        this.matMuls = matMuls;
    }

    /// A copy of a state in floats of 8 bits.
    private record Quantized(String name, boolean transposed) {}

    /// A program's order and the places of its tensors.
    public record Placed(Schedule schedule, MemoryPlan plan) {}

    /// Makes room for a graph.
    ///
    /// @param graph as the device runs it
    public Placed add(Graph graph) {
        Schedule schedule = Schedule.of(graph);
        MemoryPlan plan = MemoryPlan.of(schedule);
        states.putAll(graph.states());
        arenaBytes = Math.max(arenaBytes, plan.bytes());
        gpu.ifPresent(device -> {
            MixedPrecision.workingCopies(graph).forEach(state -> workingCopies.put(state.name(), state));
            for (EightBits.ParameterCopy copy : EightBits.parameterCopies(graph)) {
                quantized.put(
                        new Quantized(copy.parameter().name(), copy.transposed()),
                        quantizedBytes(copy.parameter(), copy.transposed()));
            }
            scratchBytes = Math.max(scratchBytes, GpuKernels.scratchBytes(schedule.nodes(), device, matMuls));
            for (Node node : schedule.nodes()) {
                if (node.op() instanceof Op.Rope rope) {
                    tables.add(rope.frequencies());
                }
            }
        });
        return new Placed(schedule, plan);
    }

    /// The same needs, to which more may be added.
    public ProgramMemory copy() {
        ProgramMemory copy = new ProgramMemory(gpu, matMuls);
        copy.states.putAll(states);
        copy.workingCopies.putAll(workingCopies);
        copy.quantized.putAll(quantized);
        copy.tables.addAll(tables);
        copy.arenaBytes = arenaBytes;
        copy.scratchBytes = scratchBytes;
        return copy;
    }

    /// The states by name.
    public Map<String, Value> states() {
        return Collections.unmodifiableMap(states);
    }

    public long stateBytes() {
        return states.values().stream().mapToLong(Value::bytes).sum();
    }

    /// Copies of fp32 states in bf16, and in floats of 8 bits.
    public long workingCopyBytes() {
        return workingCopies.values().stream()
                        .mapToLong(ProgramMemory::workingCopyBytes)
                        .sum()
                + quantized.values().stream().mapToLong(bytes -> bytes).sum();
    }

    static long quantizedBytes(Value state, boolean transposed) {
        int rows = state.shape().rows();
        int columns = state.shape().columns();
        return transposed ? Fp8Matrix.bytes(columns, rows) : Fp8Matrix.bytes(rows, columns);
    }

    static long workingCopyBytes(Value state) {
        return state.shape().size() * DType.BF16.bytes();
    }

    /// Tensors that are no states.
    public long arenaBytes() {
        return arenaBytes;
    }

    /// Shared by all kernels of a GPU.
    public long scratchBytes() {
        return scratchBytes;
    }

    Set<Op.RopeFrequencies> tables() {
        return tables;
    }

    /// Constants of a GPU's kernels.
    public long tableBytes() {
        return tables.stream().mapToLong(GpuTables::bytes).sum();
    }
}
