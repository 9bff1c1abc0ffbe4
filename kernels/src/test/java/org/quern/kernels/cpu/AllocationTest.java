package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.kernels.cpu.Attention.Shape;

/// A kernel that allocates once it is compiled passes vectors to a method that C2 did not inline, and is slow.
/// These wait for the compiler, so they run with `-Pslow` only.
@Tag("slow")
class AllocationTest {
    private static final int ROWS = 40;
    private static final int WIDTH = 256;
    private static final long COUNT = (long) ROWS * WIDTH;

    @ParameterizedTest
    @MethodSource("kernels")
    void nothingIsAllocatedOnceCompiled(Kernel kernel) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        // Processor time, so that a busy machine has as long to compile.
        long deadline = threads.getCurrentThreadCpuTime() + 30_000_000_000L;
        int clean = 0;
        while (clean < 20 && threads.getCurrentThreadCpuTime() < deadline) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int phase = 0; phase < kernel.phases(); phase++) {
                for (int task = 0; task < kernel.tasks(phase); task++) {
                    kernel.run(phase, task);
                }
            }
            clean = threads.getCurrentThreadAllocatedBytes() == before ? clean + 1 : 0;
        }
        assertThat(clean).as("runs in a row without allocation").isEqualTo(20);
    }

    static Stream<Kernel> kernels() {
        Tensors tensors = new Tensors(9);
        MemorySegment x = tensors.random(COUNT);
        MemorySegment y = tensors.random(COUNT);
        MemorySegment z = tensors.random(2 * COUNT);
        MemorySegment weight = tensors.random(WIDTH);
        MemorySegment dWeight = tensors.random(WIDTH);
        MemorySegment dBias = tensors.random(WIDTH);
        MemorySegment mean = tensors.random(ROWS);
        MemorySegment rstd = tensors.random(ROWS);
        MemorySegment ids = tensors.randomInts(ROWS, 0, ROWS);
        MemorySegment scalars = tensors.of(1e-3, 0.1, 0.05);
        MemorySegment workspace = tensors.workspace(1 << 20);
        MemorySegment table = tensors.random(ROWS * 16L);
        AdamW.Settings settings = new AdamW.Settings(0.9, 0.95, 1e-8, 0.1);
        List<Kernel> kernels = new ArrayList<>(List.of(
                new Add(x, y, z, COUNT),
                new AddBias(x, weight, z, ROWS, WIDTH),
                new Copy(x, z, COUNT),
                new Fill(1, z, COUNT),
                new Scale(x, 2, z, COUNT),
                new LinearCombination(2, x, 3, y, z, COUNT),
                new ColumnSum(x, dBias, false, workspace, ROWS, WIDTH),
                new RmsNorm.Forward(x, weight, z, rstd, ROWS, WIDTH, 1e-5),
                new LayerNorm.Forward(x, weight, weight, z, mean, rstd, ROWS, WIDTH, 1e-5),
                new Gelu.Forward(x, z, COUNT),
                new ReluSquared.Forward(x, z, COUNT),
                new SwiGlu.Forward(z, y, ROWS, WIDTH),
                new Embedding.Forward(ids, x, z, ROWS, ROWS, WIDTH),
                new CrossEntropy.Forward(x, ids, mean, rstd, ROWS, WIDTH),
                new SumOfSquares(x, mean, workspace, COUNT),
                new Normalize(x, z, workspace, COUNT, 1e-7),
                new ClipFactor(List.of(mean, rstd), tensors.empty(2), 1),
                new AdamW(x, y, z, tensors.random(COUNT), tensors.of(1, 1), scalars, COUNT, settings),
                new AdamWBf16Moments(
                        x, y, z, tensors.random(COUNT), tensors.of(1, 1), scalars, ids, COUNT, settings, 1, 2),
                new NesterovMomentum(x, y, tensors.of(1, 1), z, COUNT, 0.95),
                new ApplyUpdate(x, y, scalars, COUNT, 1, 0.1)));
        for (boolean accumulate : new boolean[] {false, true}) {
            kernels.addAll(List.of(
                    new RmsNorm.Backward(
                            x, weight, rstd, y, z, accumulate, dWeight, accumulate, workspace, ROWS, WIDTH),
                    new LayerNorm.Backward(
                            x,
                            weight,
                            mean,
                            rstd,
                            y,
                            z,
                            accumulate,
                            dWeight,
                            accumulate,
                            dBias,
                            accumulate,
                            workspace,
                            ROWS,
                            WIDTH),
                    new Gelu.Backward(x, y, z, accumulate, COUNT),
                    new ReluSquared.Backward(x, y, z, accumulate, COUNT),
                    new SwiGlu.Backward(z, x, tensors.random(2 * COUNT), accumulate, ROWS, WIDTH),
                    new Embedding.Backward(ids, x, z, accumulate, ROWS, ROWS, WIDTH),
                    new CrossEntropy.Backward(x, ids, rstd, scalars, z, accumulate, ROWS, WIDTH),
                    new Rope(x, ids, table, table, accumulate, z, accumulate, ROWS, 4, 2, 32, ROWS)));
        }
        for (int headDim : new int[] {16, 64}) {
            Shape shape = new Shape(1, 130, 2, 1, headDim, 100);
            MemorySegment qkv = tensors.random((long) shape.rows() * shape.fusedWidth());
            MemorySegment out = tensors.random((long) shape.rows() * 2 * headDim);
            MemorySegment lse = tensors.random(shape.rows() * 2L);
            MemorySegment starts = tensors.randomInts(shape.rows(), 0, 1);
            MemorySegment dQkv = tensors.random((long) shape.rows() * shape.fusedWidth());
            kernels.add(new Attention.Forward(qkv, starts, out, lse, workspace, shape));
            kernels.add(new Attention.Backward(qkv, starts, out, lse, out, dQkv, false, workspace, shape));
            kernels.add(new Attention.Backward(qkv, starts, out, lse, out, dQkv, true, workspace, shape));
            for (int length : new int[] {1, 40}) {
                Shape step = new Shape(1, length, 2, 1, headDim, 0);
                MemorySegment keys = tensors.random(130L * headDim);
                MemorySegment values = tensors.random(130L * headDim);
                kernels.add(new CachedAttention(qkv, keys, values, tensors.ints(85), out, workspace, step, 130));
            }
        }
        return kernels.stream();
    }
}
