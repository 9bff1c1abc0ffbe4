package org.quern.kernels.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuStream;
import org.quern.kernels.check.Bf16;

/// Buffers with random content for what is to be timed. Zeros would flatter: they take less power.
public final class BenchmarkMemory {
    /// Random numbers that are drawn for one buffer; a larger one repeats them.
    private static final int DRAWN = 1 << 20;

    private final DeviceArena arena;
    private final GpuStream stream;
    private final SplittableRandom random;
    private long allocated;

    BenchmarkMemory(DeviceArena arena, GpuStream stream, long seed) {
        this.arena = arena;
        this.stream = stream;
        random = new SplittableRandom(seed);
    }

    /// Normally distributed brain floats.
    public DeviceMemory bf16(long count, double deviation) {
        short[] drawn = new short[(int) Math.min(count, DRAWN)];
        for (int i = 0; i < drawn.length; i++) {
            drawn[i] = Bf16.bits((float) (random.nextGaussian() * deviation));
        }
        return filled(MemorySegment.ofArray(drawn), count * Short.BYTES);
    }

    /// Normally distributed floats.
    public DeviceMemory f32(long count, double deviation) {
        float[] drawn = new float[(int) Math.min(count, DRAWN)];
        for (int i = 0; i < drawn.length; i++) {
            drawn[i] = (float) (random.nextGaussian() * deviation);
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

    public DeviceMemory i32(int... values) {
        return filled(MemorySegment.ofArray(values), (long) values.length * Integer.BYTES);
    }

    public DeviceMemory f32(float... values) {
        return filled(MemorySegment.ofArray(values), (long) values.length * Float.BYTES);
    }

    /// Undefined at first: outputs and workspaces.
    public DeviceMemory output(long bytes) {
        allocated += bytes;
        return arena.allocate(bytes);
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
