package org.quern.corpus.archive;

import dev.hardwood.InputFile;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.schema.ColumnProjection;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.quern.corpus.Page;

/// Pages of Parquet: the column `text`, with `url`, `date` and `id` where there are such. A file that is cut off is
/// counted; damage inside one is for the library to find, which may wait for ever.
final class ParquetPages extends PageReader {
    private static final List<String> COLUMNS = List.of("text", "url", "date", "id");

    private final ArchiveFile file;
    private final int maxPageBytes;
    private ParquetFileReader reader;
    private RowReader rows;
    private Optional<StoredParquet> stored = Optional.empty();
    private Set<String> columns;
    private boolean ended;
    private long row;
    private long count = 1;

    ParquetPages(ArchiveFile file, int maxPageBytes) {
        this.file = file;
        this.maxPageBytes = maxPageBytes;
    }

    @Override
    public Optional<Page> next() {
        try {
            ended |= reader == null && !open();
            while (!ended && rows.hasNext()) {
                rows.next();
                Optional<Page> page = page();
                row++;
                if (page.isPresent()) {
                    return page;
                }
            }
        } catch (IOException | RuntimeException _) {
            // The library throws either for what is broken.
            stored.flatMap(StoredParquet::failure).ifPresent(failure -> {
                throw failure;
            });
            bad.add("broken_parquet");
            ended = true;
        }
        return Optional.empty();
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
        count = reader.getFileMetaData().numRows();
        columns = reader.getFileSchema().getColumns().stream()
                .map(column -> column.fieldPath().toString())
                .filter(COLUMNS::contains)
                .collect(Collectors.toSet());
        if (!columns.contains("text")) {
            bad.add("no_text_column");
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
            bad.add("too_large");
            return Optional.empty();
        }
        Page.Origin origin = new Page.Origin(file.name(), row, 0, value("id"), "");
        return Optional.of(Page.ofText(origin, value("url"), value("date"), text));
    }

    private String value(String column) {
        return columns.contains(column) && !rows.isNull(column) ? String.valueOf(rows.getValue(column)) : "";
    }

    @Override
    public long bytesRead() {
        try {
            return count == 0 ? file.size() : file.size() * row / count;
        } catch (IOException e) {
            return 0;
        }
    }

    @Override
    public void close() throws IOException {
        if (rows != null) {
            rows.close();
        }
        if (reader != null) {
            reader.close();
        }
    }
}
