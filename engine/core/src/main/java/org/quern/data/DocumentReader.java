package org.quern.data;

import java.util.Iterator;

/// Documents one after another.
public interface DocumentReader extends Iterator<Document>, AutoCloseable {
    /// Bytes read so far, of those that [DocumentSource#bytes()] tells.
    long bytesRead();

    /// The texts alone of the documents to come.
    default Iterator<byte[]> texts() {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return DocumentReader.this.hasNext();
            }

            @Override
            public byte[] next() {
                return DocumentReader.this.next().text();
            }
        };
    }

    @Override
    void close();
}
