package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

/// A matrix in shared memory as `wgmma` describes it, in pieces of 16 bytes.
///
/// Bits 0-13 are the start address, 16-29 the leading and 32-45 the stride byte offset, each in units of 16 bytes;
/// 49-51 the base offset, which must be 0 here; 62-63 the swizzle: none, 128, 64 or 32 bytes.
///
/// Eight pieces that lie together, or eight rows of the swizzle's span, are an atom. If k is the contiguous
/// dimension (K-major), a row of an atom is one row of the matrix: atoms follow each other by the stride along
/// M or N, and without swizzle by the leading offset along K. If M or N is contiguous (MN-major), a row of an
/// atom is one column k: with a swizzle atoms follow each other by the stride along K and by the leading offset
/// along M or N, without one the other way round.
///
/// @param span of the swizzle in bytes, 16 for none
record MatrixDescriptor(int start, int leading, int stride, int span) {
    private static final int UNIT = 16;

    static MatrixDescriptor decode(Warp warp, long bits) {
        if ((bits >>> 49 & 7) != 0) {
            throw warp.fault(
                    UNSUPPORTED,
                    0,
                    "the emulator knows matrix descriptors of base offset 0 only: %#x has %d"
                            .formatted(bits, bits >>> 49 & 7));
        }
        int span = switch ((int) (bits >>> 62)) {
            case 0 -> UNIT;
            case 1 -> 128;
            case 2 -> 64;
            default -> 32;
        };
        return new MatrixDescriptor(field(bits, 0), field(bits, 16), field(bits, 32), span);
    }

    private static int field(long bits, int at) {
        return (int) (bits >>> at & 0x3fff) * UNIT;
    }

    /// Address of a piece of a K-major matrix.
    ///
    /// @param row of M or N
    /// @param piece along K
    int alongK(int row, int piece) {
        int column = span == UNIT ? piece * leading : piece * UNIT;
        return swizzled(start + row / 8 * stride + row % 8 * span + column);
    }

    /// Address of a piece of an MN-major matrix.
    ///
    /// @param piece along M or N
    int alongMn(int piece, int k) {
        int wide = span / UNIT;
        int atom = span == UNIT
                ? piece * stride + k / 8 * leading
                : piece / wide * leading + piece % wide * UNIT + k / 8 * stride;
        return swizzled(start + atom + k % 8 * span);
    }

    /// In each stretch of 8 spans, pieces trade places with those that differ from them in the bits of their line of
    /// 128 bytes, as far as the span reaches.
    private int swizzled(int address) {
        int line = address / 128 % 8 & span / UNIT - 1;
        return address ^ line * UNIT;
    }
}
