package org.quern.ptx.emulator;

import org.quern.ptx.syntax.Statement.Instruction;

/// Decodes instructions that compute registers from registers.
final class ArithmeticDecoder {
    private ArithmeticDecoder() {}

    /// The operation; null if the opcode is not arithmetic.
    ///
    /// @throws EmulatorFault if it is, but with modifiers or operands that the emulator does not know
    static Operation decode(Instruction instruction, RegisterLayout layout) {
        return null;
    }
}
