package org.quern.ptx.syntax;

import java.util.List;

/// What an instruction reads, writes or jumps to.
public sealed interface Operand {

    /// A register or special register (`%tid.x`), maybe negated (`!p`).
    record Register(String name, boolean negated) implements Operand {}

    /// An integer, or the bits of a float (`0f3F800000`, `0d...`, or a decimal fraction as 64 bits).
    record Immediate(long bits, Kind kind) implements Operand {
        public enum Kind {
            INTEGER,
            FLOAT32,
            FLOAT64
        }
    }

    /// The address of a variable or a parameter plus some bytes (`tile+512`), or a label to jump to.
    record Symbol(String name, long offset) implements Operand {}

    /// `[base + offset]`; base is a register, a symbol (its own offset is 0), or an absolute address.
    /// `[map, {x, y}]` has coordinates.
    record Address(Operand base, long offset, List<Operand> coordinates) implements Operand {}

    /// `{a, b, c, d}`.
    record Vector(List<Operand> elements) implements Operand {}

    /// `p|q`: two destinations.
    record Pair(Operand first, Operand second) implements Operand {}

    /// `_`: a destination that is not wanted.
    record Sink() implements Operand {}
}
