package org.quern.ptx.emulator;

/// An instruction, decoded: every operand is a slot of the warp's [Registers], every modifier is resolved.
///
/// The machine has applied the guard, moves the program counter, and knows the line for messages; an operation
/// only computes. It allocates nothing.
@FunctionalInterface
public interface Operation {

    /// Runs for the lanes in `mask`, which is not empty.
    ///
    /// @throws EmulatorFault by [Warp#fault] if a rule is broken
    void execute(Warp warp, int mask);

    /// Floating-point operations of one lane; a fused multiply-add counts as two.
    default int flops() {
        return 0;
    }

    /// Whether it is for the special function unit: exponentials, logarithms, roots, reciprocals, tanh.
    default boolean specialFunction() {
        return false;
    }
}
