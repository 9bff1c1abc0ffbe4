package org.quern.ptx.syntax;

import java.util.Locale;

/// The types of registers, values and variables.
public enum PtxType {
    B8(1),
    B16(2),
    B32(4),
    B64(8),
    B128(16),
    U8(1),
    U16(2),
    U32(4),
    U64(8),
    S8(1),
    S16(2),
    S32(4),
    S64(8),
    F16(2),
    F16X2(4),
    BF16(2),
    BF16X2(4),
    E4M3X2(2),
    E5M2X2(2),
    TF32(4),
    F32(4),
    F64(8),
    PRED(0);

    private final int bytes;

    PtxType(int bytes) {
        this.bytes = bytes;
    }

    /// The size; 0 for predicates.
    public int bytes() {
        return bytes;
    }

    /// Whether an integer is one of this type's, signed or unsigned.
    public boolean holds(long integer) {
        int unused = Long.SIZE - 8 * bytes;
        return bytes > 0 && (integer == integer << unused >> unused || integer == integer << unused >>> unused);
    }

    /// As PTX writes it, without the dot.
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
