package org.quern.kernels.check;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;

/// A device with what a [KernelCase] needs: random inputs, guarded outputs, comparisons. It lasts for one case.
///
/// Inputs are a function of the seed alone, so that two devices with the same seed can be compared by
/// [#results]. On a GPU, every buffer has a guard of [#GUARD] bytes before and behind it, which [#close] checks, and
/// outputs are NaN until they are written; on the emulator every buffer is an allocation of exactly its size, and
/// outputs are undefined until they are written.
public final class CheckDevice implements AutoCloseable {
    private static final int GUARD = 256;
    private static final byte GUARD_BYTE = (byte) 0xA5;
    private static final byte POISON = (byte) 0xFF;
    private static final int REPORTED = 3;

    private final boolean poison;
    private final SplittableRandom random;
    private final DeviceArena arena;
    private final GpuStream stream;
    private final List<DeviceMemory> guards = new ArrayList<>();
    private final List<Result> results = new ArrayList<>();
    private KernelLibrary library;
    private boolean misaligned;

    /// What a kernel gave, and how far off it was.
    ///
    /// @param what the output
    /// @param values as read back, converted to float
    /// @param tolerances what is tolerated, one a value
    /// @param error the largest error, as a part of what is tolerated: more than 1 is wrong
    public record Result(String what, float[] values, double[] tolerances, double error) {}

    /// @param poison whether to guard buffers and to fill outputs with NaN first; not on the emulator, which faults at
    ///     accesses outside of an allocation and where undefined memory is read
    public CheckDevice(Gpu gpu, KernelLibrary library, long seed, boolean poison) {
        this.poison = poison;
        this.library = library;
        random = new SplittableRandom(seed);
        arena = gpu.arena();
        stream = gpu.stream();
    }

    public KernelLibrary library() {
        return library;
    }

    /// From here on, kernels choose their grids as for a device of so many multiprocessors.
    void gridsFor(int multiprocessors) {
        library = new GridLimit(library, multiprocessors);
    }

    /// From here on, tensors begin one element behind an aligned address; what [#output] gives does not.
    void misalign() {
        misaligned = true;
    }

    // ---------------------------------------------------------------- inputs

    /// Integers from -`magnitude` to `magnitude`; exact in bf16 up to 256.
    public float[] integers(int count, int magnitude) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextInt(2 * magnitude + 1) - magnitude;
        }
        return values;
    }

    /// Normally distributed values.
    public float[] normal(int count, double deviation) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
        }
        return values;
    }

    /// Normally distributed values that are brain floats.
    public float[] normalBf16(int count, double deviation) {
        float[] values = normal(count, deviation);
        for (int i = 0; i < count; i++) {
            values[i] = Bf16.round(values[i]);
        }
        return values;
    }

    /// Integers from 0 to `bound` - 1.
    public int[] indices(int count, int bound) {
        int[] values = new int[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextInt(bound);
        }
        return values;
    }

    // ---------------------------------------------------------------- memory

    /// Uploads brain floats; the values must be some.
    public DeviceMemory bf16(float[] values) {
        short[] bits = new short[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Bf16.bits(values[i]);
            if (Bf16.value(bits[i]) != values[i] && !Float.isNaN(values[i])) {
                throw new IllegalArgumentException("not a bf16: " + values[i]);
            }
        }
        return upload(MemorySegment.ofArray(bits), Short.BYTES);
    }

    public DeviceMemory f32(float[] values) {
        return upload(MemorySegment.ofArray(values), Float.BYTES);
    }

    public DeviceMemory i32(int[] values) {
        return upload(MemorySegment.ofArray(values), 0);
    }

    public DeviceMemory i64(long[] values) {
        return upload(MemorySegment.ofArray(values), 0);
    }

    public DeviceMemory bytes(byte[] values) {
        return upload(MemorySegment.ofArray(values), 0);
    }

    /// @param elementBytes of a tensor, which may be misaligned
    private DeviceMemory upload(MemorySegment values, int elementBytes) {
        DeviceMemory memory = tensor(values.byteSize(), elementBytes);
        if (memory.bytes() > 0) {
            MemorySegment copy = Arena.ofAuto().allocate(values.byteSize()).copyFrom(values);
            stream.copyToDevice(copy, memory);
            stream.synchronize();
        }
        return memory;
    }

    /// Memory for `count` brain floats that a kernel is to write.
    public DeviceMemory outputBf16(long count) {
        return poisoned(tensor(count * Short.BYTES, Short.BYTES));
    }

    /// Memory for `count` floats or ints that a kernel is to write.
    public DeviceMemory outputF32(long count) {
        return poisoned(tensor(count * Float.BYTES, Float.BYTES));
    }

    /// Memory that a kernel is to write: outputs and workspaces.
    public DeviceMemory output(long bytes) {
        return poisoned(guarded(bytes));
    }

    private DeviceMemory poisoned(DeviceMemory memory) {
        if (poison && memory.bytes() > 0) {
            stream.fill(memory, POISON);
        }
        return memory;
    }

    private DeviceMemory tensor(long bytes, int elementBytes) {
        int start = misaligned ? elementBytes : 0;
        return guarded(start + bytes).slice(start, bytes);
    }

    private DeviceMemory guarded(long bytes) {
        if (!poison) {
            return arena.allocate(Math.max(bytes, 1)).slice(0, bytes);
        }
        DeviceMemory whole = arena.allocate(bytes + 2 * GUARD);
        DeviceMemory before = whole.slice(0, GUARD);
        DeviceMemory behind = whole.slice(GUARD + bytes, GUARD);
        for (DeviceMemory guard : List.of(before, behind)) {
            stream.fill(guard, GUARD_BYTE);
            guards.add(guard);
        }
        return whole.slice(GUARD, bytes);
    }

    // ---------------------------------------------------------------- work

    /// Launches and waits.
    public void run(GpuKernel kernel) {
        kernel.launch(stream);
        stream.synchronize();
    }

    public float[] readBf16(DeviceMemory memory) {
        short[] bits = read(memory).toArray(ValueLayout.JAVA_SHORT);
        float[] values = new float[bits.length];
        for (int i = 0; i < bits.length; i++) {
            values[i] = Bf16.value(bits[i]);
        }
        return values;
    }

    public float[] readF32(DeviceMemory memory) {
        return read(memory).toArray(ValueLayout.JAVA_FLOAT);
    }

    public int[] readI32(DeviceMemory memory) {
        return read(memory).toArray(ValueLayout.JAVA_INT);
    }

    public byte[] readBytes(DeviceMemory memory) {
        return read(memory).toArray(ValueLayout.JAVA_BYTE);
    }

    private MemorySegment read(DeviceMemory memory) {
        MemorySegment copy = Arena.ofAuto().allocate(memory.bytes(), Long.BYTES);
        if (memory.bytes() > 0) {
            stream.copyToHost(memory, copy);
            stream.synchronize();
        }
        return copy;
    }

    // ---------------------------------------------------------------- comparisons

    /// Each value must be within `relative` of what is expected, plus `absolute`.
    public void compare(String what, float[] actual, double[] expected, double relative, double absolute) {
        double[] absolutes = new double[expected.length];
        Arrays.fill(absolutes, absolute);
        compare(what, actual, expected, relative, absolutes);
    }

    /// Each value must be within `relative` of what is expected, plus its own `absolute`: for a sum, a small multiple
    /// of the sum of the terms' magnitudes.
    public void compare(String what, float[] actual, double[] expected, double relative, double[] absolute) {
        if (actual.length != expected.length) {
            throw new IllegalArgumentException(actual.length + " values, " + expected.length + " expected");
        }
        double[] tolerances = new double[expected.length];
        double worst = 0;
        int wrong = 0;
        StringBuilder first = new StringBuilder();
        for (int i = 0; i < expected.length; i++) {
            tolerances[i] = relative * Math.abs(expected[i]) + absolute[i];
            double error = Tolerance.parts(actual[i], expected[i], tolerances[i]);
            worst = Math.max(worst, error);
            if (error > 1 && wrong++ < REPORTED) {
                first.append("; [%d] is %s, expected %s +- %.3g".formatted(i, actual[i], expected[i], tolerances[i]));
            }
        }
        results.add(new Result(what, actual, tolerances, worst));
        if (wrong > 0) {
            throw new Mismatch("%s: %d of %d values are wrong%s".formatted(what, wrong, expected.length, first));
        }
    }

    /// Each value must be exactly what is expected.
    public void compareExactly(String what, float[] actual, double[] expected) {
        compare(what, actual, expected, 0, 0);
    }

    public void compareExactly(String what, int[] actual, int[] expected) {
        float[] values = new float[actual.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = actual[i];
        }
        int at = Arrays.mismatch(actual, expected);
        results.add(new Result(what, values, new double[values.length], at < 0 ? 0 : Double.POSITIVE_INFINITY));
        if (at >= 0) {
            throw new Mismatch("%s: [%d] is %d, expected %d".formatted(what, at, actual[at], expected[at]));
        }
    }

    /// What the comparisons so far have seen, the one that failed included.
    public List<Result> results() {
        return results;
    }

    /// Checks the guards and frees everything.
    ///
    /// @throws Mismatch if a kernel wrote outside its buffers
    @Override
    public void close() {
        try (arena;
                stream) {
            for (DeviceMemory guard : guards) {
                for (byte value : read(guard).toArray(ValueLayout.JAVA_BYTE)) {
                    if (value != GUARD_BYTE) {
                        throw new Mismatch("a kernel wrote outside its buffers");
                    }
                }
            }
        }
    }
}
