package org.quern.gpu;

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

/// Why reading or writing failed, in the words of people: the messages of many of Java's exceptions are no more
/// than a file's name.
public final class IoReason {
    private IoReason() {}

    /// Without the names of classes, unless there is nothing else.
    public static String of(Throwable failure) {
        return switch (failure) {
            case UncheckedIOException e -> of(e.getCause());
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
}
