package org.quern.base;

import java.io.EOFException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

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
        return switch (failure) {
            case UncheckedIOException e -> reason(e.getCause());
            case NoSuchFileException e -> e.getFile() + " is not there";
            case AccessDeniedException e -> "access to %s is denied".formatted(e.getFile());
            case FileAlreadyExistsException e -> e.getFile() + " is there already";
            case NotDirectoryException e -> e.getFile() + " is no folder";
            case DirectoryNotEmptyException e -> e.getFile() + " is not empty";
            case UnknownHostException e -> "no host is known as " + e.getMessage();
            case ConnectException e when e.getMessage() == null -> "no such host, or it refuses connections";
            case CharacterCodingException _ -> "it is not UTF-8";
            case EOFException _ -> "it ends too early";
            default -> failure.getMessage() == null ? failure.getClass().getSimpleName() : failure.getMessage();
        };
    }

    public ExitCode exitCode() {
        return exitCode;
    }
}
