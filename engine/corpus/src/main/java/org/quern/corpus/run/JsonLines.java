package org.quern.corpus.run;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;

/// Files with a JSON object a line, of which one line at a time is in memory.
final class JsonLines {
    private JsonLines() {}

    /// Where a line is.
    record Place(Path file, long offset, int length) {
        <T> T read(Class<T> type) {
            byte[] line = new byte[length];
            try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
                in.seek(offset);
                in.readFully(line);
                return Json.MAPPER.readValue(line, type);
            } catch (IOException | JacksonException e) {
                throw changed(file, e);
            }
        }
    }

    interface Visitor<T> {
        void visit(Place place, T value);
    }

    static <T> void forEach(Path file, Class<T> type, Visitor<T> visitor) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            long offset = 0;
            for (int next = in.read(); next >= 0; next = in.read()) {
                if (next != '\n') {
                    line.write(next);
                    continue;
                }
                Place place = new Place(file, offset, line.size());
                visitor.visit(place, Json.MAPPER.readValue(line.toByteArray(), type));
                offset += line.size() + 1;
                line.reset();
            }
        } catch (IOException | JacksonException e) {
            throw changed(file, e);
        }
    }

    private static QuernException changed(Path file, Exception e) {
        return QuernException.io(file + " cannot be read", e, "if a run goes on there, try again");
    }
}
