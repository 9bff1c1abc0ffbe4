package org.quern.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// A kernel with its grid and its arguments, ready to be launched again and again.
public final class Launch {
    /// What a grid may have in y and in z.
    public static final int MOST_BLOCKS_YZ = 65_535;
    /// What a block may have.
    private static final int MOST_THREADS = 1024;

    private final GpuFunction function;
    private final Dim grid;
    private final Dim block;
    private final int sharedBytes;
    private final MemorySegment arguments;
    private final List<Integer> offsets;
    private boolean programmatic;

    /// Sizes of a grid in blocks, or of a block in threads.
    public record Dim(int x, int y, int z) {
        public Dim {
            if (x < 1 || y < 1 || z < 1) {
                throw new GpuException("a launch needs at least 1 in each dimension: got " + text(x, y, z));
            }
        }

        private static String text(int x, int y, int z) {
            return "%d x %d x %d".formatted(x, y, z);
        }

        @Override
        public String toString() {
            return text(x, y, z);
        }

        public static Dim of(int x) {
            return new Dim(x, 1, 1);
        }

        public static Dim of(int x, int y) {
            return new Dim(x, y, 1);
        }

        /// x y z.
        public long count() {
            return (long) x * y * z;
        }
    }

    /// Binds arguments.
    ///
    /// @param sharedBytes dynamic shared memory
    /// @param values one a parameter: [DeviceMemory] (its address), Long, Integer, Float or [TensorMap]
    /// @throws GpuException if number or sizes of the values are not the kernel's, or the launch is larger than any
    ///     device or this one allows
    public Launch(GpuFunction function, Dim grid, Dim block, int sharedBytes, Object... values) {
        this.function = function;
        this.grid = grid;
        this.block = block;
        this.sharedBytes = sharedBytes;
        List<Integer> sizes = function.parameterBytes();
        if (sizes.size() != values.length) {
            throw new GpuException(
                    "%s takes %d arguments: got %d".formatted(function.name(), sizes.size(), values.length));
        }
        if (grid.y > MOST_BLOCKS_YZ || grid.z > MOST_BLOCKS_YZ) {
            throw new GpuException("%s: a grid has at most %,d blocks in y and in z: got %s"
                    .formatted(function.name(), MOST_BLOCKS_YZ, grid));
        }
        if (block.count() > MOST_THREADS) {
            throw new GpuException(
                    "%s: a block has at most %,d threads: got %s".formatted(function.name(), MOST_THREADS, block));
        }
        if (sharedBytes > function.maxSharedBytes()) {
            throw new GpuException("%s may use at most %,d bytes of dynamic shared memory on this device: got %,d"
                    .formatted(function.name(), function.maxSharedBytes(), sharedBytes));
        }
        int[] places = new int[values.length];
        int end = 0;
        for (int i = 0; i < values.length; i++) {
            int size = sizes.get(i);
            places[i] = (end + size - 1) / size * size;
            end = places[i] + size;
        }
        offsets = java.util.Arrays.stream(places).boxed().toList();
        arguments = Arena.ofAuto().allocate(Math.max(end, 1), TensorMap.BYTES);
        for (int i = 0; i < values.length; i++) {
            set(i, values[i]);
        }
    }

    /// Changes an argument; launches from now on use it.
    public void set(int index, Object value) {
        switch (value) {
            case DeviceMemory memory ->
                arguments.set(ValueLayout.JAVA_LONG, place(index, Long.BYTES), memory.address());
            case Long number -> arguments.set(ValueLayout.JAVA_LONG, place(index, Long.BYTES), number);
            case Integer number -> arguments.set(ValueLayout.JAVA_INT, place(index, Integer.BYTES), number);
            case TensorMap map ->
                MemorySegment.copy(function.encode(map), 0, arguments, place(index, TensorMap.BYTES), TensorMap.BYTES);
            case Float number -> arguments.set(ValueLayout.JAVA_FLOAT, place(index, Float.BYTES), number);
            default ->
                throw new GpuException("%s: argument %d must be memory, Long, Integer, Float or a tensor map: got %s"
                        .formatted(function.name(), index, value.getClass().getSimpleName()));
        }
    }

    /// Lets the kernel begin while the launch before it in the stream ends. Every block executes
    /// `griddepcontrol.wait`, and touches only then what that launch and those before it do.
    public Launch programmatic() {
        programmatic = true;
        return this;
    }

    public boolean isProgrammatic() {
        return programmatic;
    }

    /// Where an argument of so many bytes lies.
    private int place(int index, int bytes) {
        int expected = function.parameterBytes().get(index);
        if (bytes != expected) {
            throw new GpuException(
                    "%s: argument %d has %d bytes: got %d".formatted(function.name(), index, expected, bytes));
        }
        return offsets.get(index);
    }

    public GpuFunction function() {
        return function;
    }

    public Dim grid() {
        return grid;
    }

    public Dim block() {
        return block;
    }

    public int sharedBytes() {
        return sharedBytes;
    }

    /// All arguments, each at its offset.
    public MemorySegment arguments() {
        return arguments;
    }

    /// Where each argument lies in [#arguments].
    public List<Integer> offsets() {
        return offsets;
    }
}
