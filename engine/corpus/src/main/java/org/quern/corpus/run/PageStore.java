package org.quern.corpus.run;

import com.github.luben.zstd.Zstd;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.quern.corpus.Page;

/// Pages without their HTML in a file between two steps: frames of some pages each, compressed by Zstandard.
final class PageStore {
    private static final int ZSTD_LEVEL = 1;

    private PageStore() {}

    /// Some pages as they are written: how many, how long and compressed.
    static byte[] frame(List<Page> pages) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            for (Page page : pages) {
                write(page, out);
            }
            byte[] plain = bytes.toByteArray();
            byte[] compressed = Zstd.compress(plain, ZSTD_LEVEL);
            bytes.reset();
            out.writeInt(pages.size());
            out.writeInt(plain.length);
            out.writeInt(compressed.length);
            out.write(compressed);
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(Page page, DataOutputStream out) throws IOException {
        Page.Origin origin = page.origin();
        text(origin.archive(), out);
        out.writeLong(origin.position());
        out.writeInt(origin.index());
        text(origin.recordId(), out);
        text(origin.payloadDigest(), out);
        text(page.url(), out);
        text(page.date(), out);
        text(page.contentType(), out);
        text(page.text(), out);
        text(page.language(), out);
        out.writeDouble(page.languageScore());
        text(page.robots(), out);
        text(page.license(), out);
        out.writeInt(page.scores().size());
        for (Map.Entry<String, Double> score : page.scores().entrySet()) {
            text(score.getKey(), out);
            out.writeDouble(score.getValue());
        }
    }

    private static void text(String text, DataOutputStream out) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    /// Reads pages forward.
    static final class Reader implements AutoCloseable {
        private final DataInputStream in;
        private DataInputStream frame = new DataInputStream(new ByteArrayInputStream(new byte[0]));
        private int left;

        Reader(Path file) throws IOException {
            in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file), 1 << 16));
        }

        /// Passes pages over; whole frames without looking into them.
        void skip(long pages) throws IOException {
            long toSkip = pages;
            while (toSkip > 0) {
                if (left == 0) {
                    int count = in.readInt();
                    int length = in.readInt();
                    int compressed = in.readInt();
                    if (count <= toSkip) {
                        in.skipNBytes(compressed);
                        toSkip -= count;
                        continue;
                    }
                    open(count, length, compressed);
                }
                read(frame);
                left--;
                toSkip--;
            }
        }

        /// Empty at the end.
        Optional<Page> next() throws IOException {
            while (left == 0) {
                int count;
                try {
                    count = in.readInt();
                } catch (EOFException e) {
                    return Optional.empty();
                }
                open(count, in.readInt(), in.readInt());
            }
            left--;
            return Optional.of(read(frame));
        }

        private void open(int count, int length, int compressed) throws IOException {
            byte[] plain = Zstd.decompress(in.readNBytes(compressed), length);
            frame = new DataInputStream(new ByteArrayInputStream(plain));
            left = count;
        }

        private static Page read(DataInputStream in) throws IOException {
            Page.Origin origin = new Page.Origin(text(in), in.readLong(), in.readInt(), text(in), text(in));
            String url = text(in);
            String date = text(in);
            String contentType = text(in);
            String text = text(in);
            String language = text(in);
            double languageScore = in.readDouble();
            String robots = text(in);
            String license = text(in);
            SortedMap<String, Double> scores = new TreeMap<>();
            for (int i = in.readInt(); i > 0; i--) {
                scores.put(text(in), in.readDouble());
            }
            return new Page(
                    origin,
                    url,
                    date,
                    contentType,
                    new byte[0],
                    text,
                    language,
                    languageScore,
                    robots,
                    license,
                    scores);
        }

        private static String text(DataInputStream in) throws IOException {
            return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }
}
