package org.quern.kernels.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuStream;
import org.quern.kernels.check.Bf16;
import org.quern.kernels.cuda.GpuKernel;

/// Buffers with random content for what is to be timed. Zeros would flatter: they take less power.
public final class BenchmarkMemory {
    /// Random numbers of one buffer; a larger one repeats them.
    private static final int DRAWN = 1 << 20;

    /// Normally distributed numbers, drawn once: drawing takes longer than most kernels that are timed. Each buffer
    /// begins elsewhere among them.
    private static final float[] NORMAL = normal();

    private final DeviceArena arena;
    private final GpuStream stream;
    private final SplittableRandom random;
    private boolean coarse;
    private long allocated;

    BenchmarkMemory(DeviceArena arena, GpuStream stream, long seed) {
        this.arena = arena;
        this.stream = stream;
        random = new SplittableRandom(seed);
    }

    private static float[] normal() {
        SplittableRandom random = new SplittableRandom(1);
        float[] numbers = new float[DRAWN];
        for (int i = 0; i < DRAWN; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }

    /// From here on, brain floats are such as floats of 8 bits can hold, of either type: with few bits, and 0 where
    /// they are far below the others.
    void coarse() {
        coarse = true;
    }

    /// Normally distributed brain floats.
    public DeviceMemory bf16(long count, double deviation) {
        short[] drawn = new short[(int) Math.min(count, DRAWN)];
        int first = random.nextInt(DRAWN);
        for (int i = 0; i < drawn.length; i++) {
            float number = NORMAL[(first + i) % DRAWN];
            float value = (float) (number * deviation);
            drawn[i] = Bf16.bits(!coarse ? value : Math.abs(number) < 0x1p-8 ? 0 : coarse(value));
        }
        return filled(MemorySegment.ofArray(drawn), count * Short.BYTES);
    }

    /// Rounded to 2 bits behind the point.
    private static float coarse(float number) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(number) + (1 << 20) & -1 << 21);
    }

    /// Normally distributed floats.
    public DeviceMemory f32(long count, double deviation) {
        return f32(count, number -> number * deviation);
    }

    /// The squares of such floats.
    public DeviceMemory squares(long count, double deviation) {
        return f32(count, number -> Math.pow(number * deviation, 2));
    }

    private DeviceMemory f32(long count, DoubleUnaryOperator of) {
        float[] drawn = new float[(int) Math.min(count, DRAWN)];
        int first = random.nextInt(DRAWN);
        for (int i = 0; i < drawn.length; i++) {
            drawn[i] = (float) of.applyAsDouble(NORMAL[(first + i) % DRAWN]);
        }
        return filled(MemorySegment.ofArray(drawn), count * Float.BYTES);
    }

    /// Integers from 0 to `bound` - 1.
    public DeviceMemory indices(long count, int bound) {
        int[] drawn = new int[(int) Math.min(count, DRAWN)];
        for (int i = 0; i < drawn.length; i++) {
            drawn[i] = random.nextInt(bound);
        }
        return filled(MemorySegment.ofArray(drawn), count * Integer.BYTES);
    }

    /// These integers.
    public DeviceMemory ints(int... values) {
        return filled(MemorySegment.ofArray(values), (long) values.length * Integer.BYTES);
    }

    /// These floats.
    public DeviceMemory floats(float... values) {
        return filled(MemorySegment.ofArray(values), (long) values.length * Float.BYTES);
    }

    /// Undefined at first: outputs and workspaces.
    public DeviceMemory output(long bytes) {
        allocated += bytes;
        return arena.allocate(bytes);
    }

    /// Does work that has to come before what is timed.
    public void run(GpuKernel kernel) {
        kernel.launch(stream);
        stream.synchronize();
    }

    /// Bytes of all buffers so far.
    long allocated() {
        return allocated;
    }

    private DeviceMemory filled(MemorySegment pattern, long bytes) {
        DeviceMemory memory = output(bytes);
        long done = Math.min(pattern.byteSize(), bytes);
        if (done > 0) {
            stream.copyToDevice(
                    Arena.ofAuto().allocate(done, Long.BYTES).copyFrom(pattern.asSlice(0, done)),
                    memory.slice(0, done));
            stream.synchronize();
        }
        while (done < bytes) {
            long more = Math.min(done, bytes - done);
            stream.copy(memory.slice(0, more), memory.slice(done, more));
            done += more;
        }
        return memory;
    }
}
