package org.quern.ptx.emulator;

import org.quern.gpu.TensorMap;

/// What a bulk copy moves: pieces of 16 bytes of shared memory, each with its place in global memory.
///
/// @param shared addresses
/// @param global addresses of the pieces' first bytes, of which those before `from` and from `to` on are outside of
///     the tensor
/// @param from bytes of each piece, in [0, 16]
/// @param to as `from`; the piece is all outside if it is not greater
record Chunks(int[] shared, long[] global, byte[] from, byte[] to) {
    static final int BYTES = 16;

    int count() {
        return shared.length;
    }

    /// Of bytes that lie together.
    static Chunks line(int shared, long global, int bytes) {
        Chunks chunks = empty(bytes / BYTES);
        for (int i = 0; i < chunks.count(); i++) {
            chunks.shared[i] = shared + i * BYTES;
            chunks.global[i] = global + i * BYTES;
            chunks.to[i] = BYTES;
        }
        return chunks;
    }

    /// Of a box of a tensor.
    ///
    /// @param start coordinates of its first element, innermost first; they may be outside
    static Chunks box(TensorMap map, int[] start, int shared) {
        int element = map.element().bytes();
        int inner = map.box().getFirst() * element;
        Chunks chunks = empty(map.boxBytes() / BYTES);
        int[] place = new int[start.length];
        int at = 0;
        for (int row = 0; at < chunks.count(); row++) {
            boolean inside = true;
            long begin = map.address();
            for (int i = 1; i < place.length; i++) {
                long coordinate = (long) start[i] + place[i];
                inside &= coordinate >= 0 && coordinate < map.sizes().get(i);
                begin += coordinate * map.strides().get(i - 1);
            }
            long width = map.sizes().getFirst() * element;
            for (int offset = 0; offset < inner; offset += BYTES, at++) {
                long column = (long) start[0] * element + offset;
                chunks.shared[at] = swizzled(shared + row * inner + offset, map.swizzle());
                chunks.global[at] = begin + column;
                chunks.from[at] = (byte) Math.clamp(-column, 0, BYTES);
                chunks.to[at] = (byte) (inside ? Math.clamp(width - column, 0, BYTES) : 0);
            }
            for (int i = 1; i < place.length && ++place[i] == map.box().get(i); i++) {
                place[i] = 0;
            }
        }
        return chunks;
    }

    /// Bits 4 and on of an address are exchanged by those from bit 7 on: three, two or one of them.
    private static int swizzled(int address, TensorMap.Swizzle swizzle) {
        int bits = switch (swizzle) {
            case NONE -> 0;
            case BYTES_32 -> 1;
            case BYTES_64 -> 3;
            case BYTES_128 -> 7;
        };
        return address ^ (address >> 7 & bits) << 4;
    }

    private static Chunks empty(int count) {
        return new Chunks(new int[count], new long[count], new byte[count], new byte[count]);
    }
}
