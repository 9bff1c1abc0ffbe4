package org.quern.ptx.emulator;

import org.quern.gpu.GpuException;

/// A kernel broke a rule. The message names kernel, line, block, warp, thread and address, and says what the rule is.
public final class EmulatorFault extends GpuException {
    private static final long serialVersionUID = 1;

    /// Which rule.
    public enum Kind {
        /// What the emulator does not know.
        UNSUPPORTED,
        /// A grid, block, argument or amount of shared memory that the device refuses.
        LAUNCH,
        /// A register was read that nothing was written to.
        UNDEFINED_REGISTER,
        /// Memory was read that nothing was written to.
        UNDEFINED_MEMORY,
        /// An address outside of every allocation or variable.
        OUT_OF_BOUNDS,
        /// An address that the size of the access does not divide.
        MISALIGNED,
        /// A write to memory that may only be read, or a read by a way that does not see writes.
        READ_ONLY,
        /// Two accesses, one of them a write, that nothing orders.
        RACE,
        /// A warp that is not whole where it must be.
        DIVERGED,
        /// A member mask that does not fit those that execute.
        MEMBER_MASK,
        /// A barrier that is used with counts that contradict each other.
        BARRIER,
        /// Nobody can go on.
        DEADLOCK,
        /// Data of an asynchronous copy that was not waited for.
        ASYNC_COPY,
        /// `trap`, or an argument for which the instruction has no meaning.
        TRAP,
        /// More instructions than the launch may take.
        BUDGET
    }

    private final Kind kind;
    private final int line;

    EmulatorFault(Kind kind, int line, String message) {
        super(message);
        this.kind = kind;
        this.line = line;
    }

    public Kind kind() {
        return kind;
    }

    /// Of the PTX text, from 1; 0 if no instruction is to blame.
    public int line() {
        return line;
    }
}
