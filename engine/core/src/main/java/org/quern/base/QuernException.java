package org.quern.base;

import org.quern.gpu.IoReason;

/// A failure that is explained to a person: its message names the rule, the value and what to do, and is shown
/// without a stack trace. Defects of Quern are other exceptions.
public final class QuernException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ExitCode exitCode;

    public QuernException(ExitCode exitCode, String message) {
        super(message);
        this.exitCode = exitCode;
    }

    public QuernException(ExitCode exitCode, String message, Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    /// A wrong config, data file or checkpoint.
    public static QuernException data(String message) {
        return new QuernException(ExitCode.DATA, message);
    }

    /// Reading or writing that failed.
    ///
    /// @param what failed; why is added to it
    public static QuernException io(String what, Exception cause) {
        return new QuernException(ExitCode.IO, what + ": " + reason(cause), cause);
    }

    /// Reading or writing that failed.
    ///
    /// @param what failed; why is added to it in brackets
    /// @param advice what to do now
    public static QuernException io(String what, Exception cause, String advice) {
        return new QuernException(ExitCode.IO, "%s (%s): %s".formatted(what, reason(cause), advice), cause);
    }

    /// Why something failed, in the words of people.
    public static String reason(Throwable failure) {
        return IoReason.of(failure);
    }

    public ExitCode exitCode() {
        return exitCode;
    }
}
