package org.quern.corpus.archive;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// Writes rows of texts and numbers as Parquet: required columns, plain encoding, pages compressed by Zstandard. The
/// bytes are a function of the rows alone.
///
/// The one library that writes Parquet on the JVM needs 60 MB of Hadoop; this much of the format is two hundred
/// lines. Source: github.com/apache/parquet-format, `parquet.thrift`.
public final class ParquetWriter implements AutoCloseable {
    /// A column, by name.
    public sealed interface Column {
        String name();

        /// UTF-8.
        record Text(String name) implements Column {}

        record Real(String name) implements Column {}

        record Whole(String name) implements Column {}
    }

    private static final byte[] MAGIC = "PAR1".getBytes(StandardCharsets.US_ASCII);
    private static final int ZSTD_LEVEL = 3;
    private static final int PAGE_BYTES = 1 << 20;
    private static final int INT64 = 2;
    private static final int DOUBLE = 5;
    private static final int BYTE_ARRAY = 6;
    private static final int REQUIRED = 0;
    private static final int UTF8 = 0;
    private static final int PLAIN = 0;
    private static final int RLE = 3;
    private static final int ZSTD = 6;
    private static final int DATA_PAGE = 0;

    private final OutputStream out;
    private final List<Column> columns;
    private final long groupBytes;
    private final List<Chunk> chunks = new ArrayList<>();
    private final List<Group> groups = new ArrayList<>();
    private long position;
    private long rows;
    private long rowsInGroup;

    /// A column of the row group that is being written.
    private static final class Chunk {
        private final ByteArrayOutputStream values = new ByteArrayOutputStream();
        private final ByteArrayOutputStream pages = new ByteArrayOutputStream();
        private int valuesInPage;
        private long uncompressedBytes;
    }

    private record Written(long offset, long compressedBytes, long uncompressedBytes) {}

    private record Group(long rows, List<Written> chunks) {}

    /// @param groupBytes a row group ends when its values take this much memory
    public ParquetWriter(OutputStream out, List<Column> columns, long groupBytes) throws IOException {
        this.out = out;
        this.columns = List.copyOf(columns);
        this.groupBytes = groupBytes;
        columns.forEach(_ -> chunks.add(new Chunk()));
        write(MAGIC);
    }

    /// @param row a `String`, `Double` or `Long` for each column
    public void add(List<?> row) throws IOException {
        long bytes = 0;
        for (int i = 0; i < columns.size(); i++) {
            Chunk chunk = chunks.get(i);
            switch (columns.get(i)) {
                case Column.Text _ -> {
                    byte[] text = ((String) row.get(i)).getBytes(StandardCharsets.UTF_8);
                    chunk.values.write(bytes(4).putInt(text.length).array());
                    chunk.values.write(text);
                }
                case Column.Real _ ->
                    chunk.values.write(bytes(8).putDouble((Double) row.get(i)).array());
                case Column.Whole _ ->
                    chunk.values.write(bytes(8).putLong((Long) row.get(i)).array());
            }
            chunk.valuesInPage++;
            if (chunk.values.size() >= PAGE_BYTES) {
                finishPage(chunk);
            }
            bytes += chunk.values.size() + chunk.pages.size();
        }
        rows++;
        rowsInGroup++;
        if (bytes >= groupBytes) {
            finishGroup();
        }
    }

    private static ByteBuffer bytes(int count) {
        return ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void finishPage(Chunk chunk) throws IOException {
        byte[] values = chunk.values.toByteArray();
        byte[] compressed = Zstd.compress(values, ZSTD_LEVEL);
        Thrift header = new Thrift();
        header.int32(1, DATA_PAGE);
        header.int32(2, values.length);
        header.int32(3, compressed.length);
        header.struct(5, () -> {
            header.int32(1, chunk.valuesInPage);
            header.int32(2, PLAIN);
            header.int32(3, RLE);
            header.int32(4, RLE);
        });
        byte[] headerBytes = header.finish();
        chunk.pages.write(headerBytes);
        chunk.pages.write(compressed);
        chunk.uncompressedBytes += headerBytes.length + values.length;
        chunk.values.reset();
        chunk.valuesInPage = 0;
    }

    private void finishGroup() throws IOException {
        if (rowsInGroup == 0) {
            return;
        }
        List<Written> written = new ArrayList<>();
        for (Chunk chunk : chunks) {
            if (chunk.valuesInPage > 0) {
                finishPage(chunk);
            }
            written.add(new Written(position, chunk.pages.size(), chunk.uncompressedBytes));
            write(chunk.pages.toByteArray());
            chunk.pages.reset();
            chunk.uncompressedBytes = 0;
        }
        groups.add(new Group(rowsInGroup, written));
        rowsInGroup = 0;
    }

    private void write(byte[] bytes) throws IOException {
        out.write(bytes);
        position += bytes.length;
    }

    /// Writes what is left and closes the stream.
    @Override
    public void close() throws IOException {
        finishGroup();
        byte[] footer = footer();
        write(footer);
        write(bytes(4).putInt(footer.length).array());
        write(MAGIC);
        out.close();
    }

    private byte[] footer() {
        Thrift footer = new Thrift();
        footer.int32(1, 1);
        footer.list(2, columns.size() + 1, Thrift.STRUCT, i -> {
            if (i == 0) {
                footer.text(4, "page");
                footer.int32(5, columns.size());
            } else {
                schema(footer, columns.get(i - 1));
            }
        });
        footer.int64(3, rows);
        footer.list(4, groups.size(), Thrift.STRUCT, g -> {
            Group group = groups.get(g);
            footer.list(1, columns.size(), Thrift.STRUCT, c -> chunk(footer, group, c));
            footer.int64(
                    2,
                    group.chunks().stream()
                            .mapToLong(Written::uncompressedBytes)
                            .sum());
            footer.int64(3, group.rows());
        });
        footer.text(6, "quern");
        return footer.finish();
    }

    private static void schema(Thrift footer, Column column) {
        footer.int32(1, type(column));
        footer.int32(3, REQUIRED);
        footer.text(4, column.name());
        if (column instanceof Column.Text) {
            footer.int32(6, UTF8);
            footer.struct(10, () -> footer.struct(1, () -> {}));
        }
    }

    private void chunk(Thrift footer, Group group, int index) {
        Column column = columns.get(index);
        Written written = group.chunks().get(index);
        footer.int64(2, written.offset());
        footer.struct(3, () -> {
            footer.int32(1, type(column));
            footer.list(2, 1, Thrift.INT32, _ -> footer.item(PLAIN));
            footer.list(3, 1, Thrift.BINARY, _ -> footer.item(column.name()));
            footer.int32(4, ZSTD);
            footer.int64(5, group.rows());
            footer.int64(6, written.uncompressedBytes());
            footer.int64(7, written.compressedBytes());
            footer.int64(9, written.offset());
        });
    }

    private static int type(Column column) {
        return switch (column) {
            case Column.Text _ -> BYTE_ARRAY;
            case Column.Real _ -> DOUBLE;
            case Column.Whole _ -> INT64;
        };
    }
}
