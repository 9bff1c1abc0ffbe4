package org.quern.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.quern.base.QuernException;

/// Documents that can be read again and again, always the same in the same order.
public interface DocumentSource {
    /// A text that is another one when the documents are.
    String identity();

    /// As they are stored.
    long bytes();

    DocumentReader open();

    /// What a person knows the documents by.
    @Override
    String toString();

    /// The documents of text files: see [CorpusReader].
    record TextFiles(List<Path> files) implements DocumentSource {
        @Override
        public String identity() {
            StringBuilder text = new StringBuilder();
            for (Path file : files) {
                String hash = HexFormat.of().formatHex(Sha256.of(file));
                text.append(hash).append(' ').append(file.getFileName()).append('\n');
            }
            return text.toString();
        }

        @Override
        public long bytes() {
            try {
                long bytes = 0;
                for (Path file : files) {
                    bytes += Files.size(file);
                }
                return bytes;
            } catch (IOException e) {
                throw QuernException.io(files + ": cannot be read", e);
            }
        }

        @Override
        public DocumentReader open() {
            return new CorpusReader(files);
        }

        @Override
        public String toString() {
            return files.toString();
        }
    }
}
