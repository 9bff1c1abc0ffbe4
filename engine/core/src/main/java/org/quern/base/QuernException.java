package org.quern.base;

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
    public static QuernException io(String message, Throwable cause) {
        return new QuernException(ExitCode.IO, message, cause);
    }

    public ExitCode exitCode() {
        return exitCode;
    }
}
