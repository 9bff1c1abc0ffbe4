package org.quern.corpus.archive;

import dev.hardwood.InputFile;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.schema.ColumnProjection;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.quern.corpus.Page;
import org.quern.corpus.archive.ParquetPages.Batch;

/// Reads Parquet by the library; of one thread but for [#bytesRead()].
final class ParquetRows {
    private static final List<String> COLUMNS = List.of("text", "url", "date", "id");
    private static final int BATCH_PAGES = 128;
    private static final int BATCH_CHARACTERS = 1 << 20;

    private final ArchiveFile file;
    private final int maxPageBytes;
    private ParquetFileReader reader;
    private RowReader rows;
    private Optional<StoredParquet> stored = Optional.empty();
    private Set<String> columns;
    private long row;
    private volatile long bytesRead;

    ParquetRows(ArchiveFile file, int maxPageBytes) {
        this.file = file;
        this.maxPageBytes = maxPageBytes;
    }

    /// The next pages. Their end is the empty text after the last, or what is wrong with the file.
    Batch next() {
        List<Optional<Page>> pages = new ArrayList<>();
        Optional<String> end = Optional.empty();
        try {
            if (reader == null && !open()) {
                return new Batch(pages, Optional.of("no_text_column"), Optional.empty());
            }
            int characters = 0;
            while (end.isEmpty() && pages.size() < BATCH_PAGES && characters < BATCH_CHARACTERS) {
                if (rows.hasNext()) {
                    rows.next();
                    Optional<Page> page = page();
                    row++;
                    characters += page.map(each -> each.text().length()).orElse(0);
                    pages.add(page);
                } else {
                    end = Optional.of("");
                }
            }
            long count = Math.max(1, reader.getFileMetaData().numRows());
            bytesRead = (long) ((double) file.size() / count * row);
        } catch (IOException | RuntimeException | StackOverflowError _) {
            // The library throws any of them for what is broken.
            end = Optional.of("broken_parquet");
        }
        return new Batch(pages, end, stored.flatMap(StoredParquet::failure));
    }

    private boolean open() throws IOException {
        if (file instanceof ArchiveFile.Stored object) {
            stored = Optional.of(new StoredParquet(object));
        }
        InputFile input = switch (file) {
            case ArchiveFile.Local local -> InputFile.of(local.path());
            case ArchiveFile.Stored _ -> stored.orElseThrow();
        };
        reader = ParquetFileReader.open(input);
        columns = reader.getFileSchema().getColumns().stream()
                .map(column -> column.fieldPath().toString())
                .filter(COLUMNS::contains)
                .collect(Collectors.toSet());
        if (!columns.contains("text")) {
            return false;
        }
        rows = reader.buildRowReader()
                .projection(ColumnProjection.columns(columns.toArray(String[]::new)))
                .build();
        return true;
    }

    private Optional<Page> page() {
        String text = value("text");
        if (text.length() > maxPageBytes) {
            return Optional.empty();
        }
        Page.Origin origin = new Page.Origin(file.name(), row, 0, value("id"), "");
        return Optional.of(Page.ofText(origin, value("url"), value("date"), text));
    }

    private String value(String column) {
        return columns.contains(column) && !rows.isNull(column) ? String.valueOf(rows.getValue(column)) : "";
    }

    long bytesRead() {
        return bytesRead;
    }

    void close() {
        try {
            if (rows != null) {
                rows.close();
            }
            if (reader != null) {
                reader.close();
            }
        } catch (IOException | RuntimeException _) {
            // What was read is read.
        }
    }
}
