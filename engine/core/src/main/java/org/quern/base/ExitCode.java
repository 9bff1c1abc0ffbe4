package org.quern.base;

/// The exit codes a scheduler can act on (sysexits.h where it has one).
public enum ExitCode {
    /// The work is done.
    OK(0),
    /// The command line is wrong.
    USAGE(64),
    /// A config, a data file or a checkpoint is wrong; trying again will not help.
    DATA(65),
    /// A defect of Quern.
    INTERNAL(70),
    /// Reading or writing failed: a full disk, missing permissions.
    IO(74),
    /// Stopped on request with a checkpoint written: start again to go on.
    PREEMPTED(75),
    /// Failed, but the same command may succeed: a GPU failed, was lost or had no memory left beside other programs,
    /// or another worker ended.
    RETRYABLE(76),
    /// Failed in a way that a restart would repeat.
    DO_NOT_RESTART(93);

    private final int code;

    ExitCode(int code) {
        this.code = code;
    }

    public int code() {
        return code;
    }
}
