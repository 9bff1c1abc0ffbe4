package org.quern.ptx.emulator;

/// 32 threads that share a program counter while they agree.
public final class Warp {
    final Registers registers;

    Warp(Registers registers) {
        this.registers = registers;
    }

    /// The error for a broken rule at the current instruction, with line, block, warp and thread added.
    ///
    /// @param lane to blame
    /// @param rule a sentence: what was done and what is allowed
    EmulatorFault fault(EmulatorFault.Kind kind, int lane, String rule) {
        return new EmulatorFault(kind, 0, rule);
    }
}
