package org.quern.ptx.emulator;

import org.quern.ptx.syntax.PtxType;

/// Which array of [Registers] holds a value.
enum RegisterFile {
    WORDS,
    LONGS,
    PREDICATES;

    /// The file for values of a type; null for 128 bits.
    static RegisterFile of(PtxType type) {
        return switch (type.bytes()) {
            case 0 -> PREDICATES;
            case 1, 2, 4 -> WORDS;
            case 8 -> LONGS;
            default -> null;
        };
    }
}
