package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.quern.base.QuernException;
import picocli.CommandLine.Option;

/// Which text is measured with.
final class TextOption {
    @Option(names = "--text", paramLabel = "FILE", required = true, description = "Text that documents are cut from.")
    private Path text;

    String read() {
        try {
            return Files.readString(text);
        } catch (IOException e) {
            throw QuernException.io(text + " cannot be read", e);
        }
    }
}
