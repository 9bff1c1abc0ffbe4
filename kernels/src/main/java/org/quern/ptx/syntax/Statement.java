package org.quern.ptx.syntax;

import java.util.List;

/// A line of a kernel's body.
public sealed interface Statement {
    /// In the text, from 1.
    int line();

    record Label(String name, int line) implements Statement {}

    /// `name: .branchtargets L0, L1;`: the labels that `brx.idx` chooses from.
    record BranchTargets(String name, List<String> labels, int line) implements Statement {}

    /// `@!p add.rn.f32 a, b, c;`
    ///
    /// @param guard the predicate register's name, or null
    /// @param guardNegated runs where the guard is false
    /// @param opcode up to the first dot: `add`
    /// @param modifiers what follows, without dots, in order: `rn`, `f32`; `shared::cta` is one
    record Instruction(
            String guard, boolean guardNegated, String opcode, List<String> modifiers, List<Operand> operands, int line)
            implements Statement {

        /// The opcode with its modifiers: `add.rn.f32`.
        public String mnemonic() {
            return modifiers.isEmpty() ? opcode : opcode + "." + String.join(".", modifiers);
        }

        public boolean has(String modifier) {
            return modifiers.contains(modifier);
        }
    }
}
