package org.quern.tokenizer;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.quern.base.QuernException;

/// Reading and writing whole text files, with failures that name the file.
final class TextFile {
    private static final int SHOWN = 60;

    private TextFile() {}

    static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (NoSuchFileException e) {
            throw QuernException.data("%s: there is no such file".formatted(file));
        } catch (CharacterCodingException e) {
            throw QuernException.data("%s: expected UTF-8 text, found other bytes".formatted(file));
        } catch (IOException e) {
            throw QuernException.io("cannot read %s".formatted(file), e);
        }
    }

    static void write(Path file, byte[] utf8) {
        try {
            Files.write(file, utf8);
        } catch (IOException e) {
            throw QuernException.io("cannot write %s".formatted(file), e);
        }
    }

    /// A line of a file as it can be shown in a message.
    static String shorten(String line) {
        String start = line.length() <= SHOWN ? line : line.substring(0, SHOWN) + "...";
        return start.replaceAll("\\p{Cntrl}", "?");
    }
}
