package org.quern.kernels.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.GpuStream;
import org.quern.kernels.bench.AttentionBenchmarks.Backward;
import org.quern.kernels.bench.AttentionBenchmarks.GradientBuffers;
import org.quern.kernels.check.Bf16;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.kernels.cuda.KernelDevice;

/// Some rows of the gradient of an attention, the first, the middle and the last tokens', after one launch.
///
/// @param headDim numbers of a head
/// @param columns of a row: the heads of queries, keys and values
record GradientResult(int headDim, int columns, float[] values) {
    private static final int ROWS = 128;

    /// Of a number itself: roundings of results to bf16.
    private static final double ROUNDING = 0x1p-7;
    /// Of a head's numbers: what roundings of weights and gradients of scores to bf16 add up to.
    private static final double SUMS = 0x1p-4;
    /// What is left of gradients that cancel.
    private static final double LEAST = 0x1p-14;

    static GradientResult of(KernelDevice device, Shape shape, long workspaceBytes, Backward kernel) {
        int columns = (shape.heads() + 2 * shape.keyValueHeads()) * shape.headDim();
        int all = shape.sequences() * shape.length();
        int rows = Math.min(ROWS, all);
        int part = rows * columns;
        int[] firsts = {0, (all - rows) / 2, all - rows};
        float[] values = new float[firsts.length * part];
        try (DeviceArena arena = device.gpu().arena();
                GpuStream stream = device.gpu().stream();
                Arena host = Arena.ofConfined()) {
            BenchmarkMemory memory = new BenchmarkMemory(arena, stream, 1);
            GradientBuffers buffers = GradientBuffers.of(device.library(), memory, shape);
            buffers.bind(device.library(), kernel, memory.output(workspaceBytes))
                    .launch(stream);
            MemorySegment copy = host.allocate((long) values.length * Short.BYTES, Long.BYTES);
            for (int i = 0; i < firsts.length; i++) {
                stream.copyToHost(
                        buffers.dQkv().slice((long) firsts[i] * columns * Short.BYTES, (long) part * Short.BYTES),
                        copy.asSlice((long) i * part * Short.BYTES, (long) part * Short.BYTES));
            }
            stream.synchronize();
            for (int i = 0; i < values.length; i++) {
                values[i] = Bf16.value(copy.getAtIndex(ValueLayout.JAVA_SHORT, i));
            }
        }
        return new GradientResult(shape.headDim(), columns, values);
    }

    /// In what another result differs by more than roundings; null if it does not.
    String difference(GradientResult other) {
        for (int head = 0; head < values.length; head += headDim) {
            double squares = 0;
            for (int i = head; i < head + headDim; i++) {
                squares += (double) values[i] * values[i];
            }
            double most = LEAST + SUMS * Math.sqrt(squares / headDim);
            for (int i = head; i < head + headDim; i++) {
                if (!(Math.abs(other.values[i] - values[i]) <= most + ROUNDING * Math.abs(values[i]))) {
                    return "gives %s instead of %s in column %d".formatted(other.values[i], values[i], i % columns);
                }
            }
        }
        return null;
    }
}
