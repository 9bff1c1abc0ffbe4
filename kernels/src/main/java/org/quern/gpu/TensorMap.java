package org.quern.gpu;

import java.util.List;
import java.util.stream.LongStream;

/// How bulk copies of `sm_90` see a tensor of global memory: `cuTensorMapEncodeTiled` of the driver API, without
/// interleaving and element strides, zeros outside of the tensor.
///
/// @param address of element 0, a multiple of 16
/// @param sizes in elements, innermost first
/// @param strides in bytes from one row to the next, from one plane to the next and so on, each a multiple of 16
/// @param box what one copy moves, in elements, innermost first
public record TensorMap(
        Element element, long address, List<Long> sizes, List<Long> strides, List<Integer> box, Swizzle swizzle) {
    /// In device memory and as a kernel's parameter.
    public static final int BYTES = 128;

    private static final int MOST_DIMENSIONS = 5;
    private static final long MOST_ELEMENTS = 1L << 32;
    private static final long MOST_STRIDE = 1L << 40;
    private static final int MOST_IN_BOX = 256;

    /// What a tensor holds.
    public enum Element {
        UINT8(1),
        UINT16(2),
        UINT32(4),
        BFLOAT16(2),
        FLOAT32(4);

        private final int bytes;

        Element(int bytes) {
            this.bytes = bytes;
        }

        public int bytes() {
            return bytes;
        }
    }

    /// How pieces of 16 bytes of a box are exchanged in shared memory, against bank conflicts: the innermost
    /// dimension of the box takes at most so many bytes.
    public enum Swizzle {
        NONE(0),
        BYTES_32(32),
        BYTES_64(64),
        BYTES_128(128);

        private final int span;

        Swizzle(int span) {
            this.span = span;
        }

        /// 0 for none.
        public int span() {
            return span;
        }
    }

    /// @throws GpuException naming the limit that the tensor or the box breaks
    public TensorMap {
        sizes = List.copyOf(sizes);
        strides = List.copyOf(strides);
        box = List.copyOf(box);
        int rank = sizes.size();
        require(rank >= 1 && rank <= MOST_DIMENSIONS, "1 to 5 dimensions", rank);
        require(strides.size() == rank - 1, "a stride for every dimension but the innermost", strides);
        require(box.size() == rank, "a box of as many dimensions as the tensor", box);
        require(address % 16 == 0, "an address that is a multiple of 16", "%#x".formatted(address));
        require(sizes.stream().allMatch(size -> size >= 1 && size <= MOST_ELEMENTS), "1 to 2^32 elements", sizes);
        require(
                strides.stream().allMatch(stride -> stride > 0 && stride < MOST_STRIDE && stride % 16 == 0),
                "strides below 2^40 bytes that are multiples of 16",
                strides);
        require(box.stream().allMatch(size -> size >= 1 && size <= MOST_IN_BOX), "1 to 256 elements in a box", box);
        int inner = box.getFirst() * element.bytes();
        require(inner % 16 == 0, "boxes whose innermost dimension is a multiple of 16 bytes", inner);
        require(
                swizzle == Swizzle.NONE || inner <= swizzle.span(),
                "an innermost dimension of at most the %d bytes of its swizzle".formatted(swizzle.span()),
                inner);
    }

    private static void require(boolean condition, String rule, Object value) {
        if (!condition) {
            throw new GpuException("a tensor map takes %s: got %s".formatted(rule, value));
        }
    }

    /// Bytes that a copy of a box moves, also where it reaches beyond the tensor.
    public int boxBytes() {
        return Math.toIntExact(box.stream().mapToLong(Integer::longValue).reduce(element.bytes(), (a, b) -> a * b));
    }

    /// A matrix of rows that lie one after the other, `columns` of each used.
    public static TensorMap matrix(
            Element element,
            DeviceMemory memory,
            long rows,
            long columns,
            long rowBytes,
            int boxRows,
            int boxColumns,
            Swizzle swizzle) {
        long bytes = (rows - 1) * rowBytes + columns * element.bytes();
        if (LongStream.of(rows, columns).min().orElseThrow() < 1 || bytes > memory.bytes()) {
            throw new GpuException("a tensor map of %,d x %,d elements needs %,d bytes: the memory has %,d"
                    .formatted(rows, columns, bytes, memory.bytes()));
        }
        return new TensorMap(
                element,
                memory.address(),
                List.of(columns, rows),
                List.of(rowBytes),
                List.of(boxColumns, boxRows),
                swizzle);
    }
}
