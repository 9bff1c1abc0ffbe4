package org.quern.corpus.run;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.corpus.Page;
import org.quern.corpus.archive.ArchiveFile;
import org.quern.corpus.archive.PageReader;
import org.quern.data.Document;
import org.quern.data.DocumentReader;
import org.quern.data.DocumentSource;
import org.quern.data.Sha256;

/// The texts of a finished corpus, as tokens are made of them.
///
/// @param folder of the Parquet files
/// @param shards their names, in order
record CorpusDocuments(Path folder, List<String> shards) implements DocumentSource {
    @Override
    public String identity() {
        StringBuilder text = new StringBuilder();
        shards.forEach(shard -> text.append(HexFormat.of().formatHex(Sha256.of(folder.resolve(shard))))
                .append('\n'));
        return text.toString();
    }

    @Override
    public long bytes() {
        return shards.stream().mapToLong(this::bytes).sum();
    }

    private long bytes(String shard) {
        try {
            return Files.size(folder.resolve(shard));
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    private QuernException unreadable(IOException e) {
        return QuernException.io(folder + ": cannot be read", e);
    }

    @Override
    public DocumentReader open() {
        return new Reader();
    }

    @Override
    public String toString() {
        return folder.toString();
    }

    private final class Reader implements DocumentReader {
        private int nextShard;
        private long bytesOfClosed;
        private PageReader shard;
        private Optional<Page> page = Optional.empty();

        @Override
        public boolean hasNext() {
            try {
                while (page.isEmpty()) {
                    if (shard == null) {
                        if (nextShard == shards.size()) {
                            return false;
                        }
                        String name = shards.get(nextShard++);
                        shard = PageReader.open(new ArchiveFile.Local(name, folder.resolve(name)), Integer.MAX_VALUE);
                    }
                    page = shard.next();
                    if (page.isEmpty()) {
                        closeShard();
                    }
                }
                return true;
            } catch (IOException e) {
                throw unreadable(e);
            }
        }

        private void closeShard() throws IOException {
            if (!shard.bad().counts().isEmpty()) {
                throw QuernException.data(
                        "%s: expected the Parquet of this run, found %s: delete it to have it made again"
                                .formatted(
                                        folder.resolve(shards.get(nextShard - 1)),
                                        shard.bad().counts()));
            }
            bytesOfClosed += bytes(shards.get(nextShard - 1));
            shard.close();
            shard = null;
        }

        @Override
        public Document next() {
            if (!hasNext()) {
                throw new NoSuchElementException("no more documents");
            }
            Page next = page.orElseThrow();
            page = Optional.empty();
            String name = next.origin().recordId() + " " + next.url();
            return new Document(name.replaceAll("\\R", " "), next.text().getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public long bytesRead() {
            return bytesOfClosed + (shard == null ? 0 : shard.bytesRead());
        }

        @Override
        public void close() {
            try {
                if (shard != null) {
                    shard.close();
                }
            } catch (IOException e) {
                throw unreadable(e);
            }
        }
    }
}
