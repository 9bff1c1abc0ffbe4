package org.quern.train.metrics;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// A file of JSON objects, one a line, that is only ever appended to.
///
/// JSON has no NaN and no infinities: such numbers are written as `null`, so that every line is read by every reader
/// and a number is never a string.
final class JsonLines implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final RecordFile file;

    /// Opens a file to go on after a step: lines of later steps, written by a run that was killed before it could
    /// save them, and a torn last line are removed first (in a new file that replaces the old one at once).
    JsonLines(Path path, long lastStep) {
        try {
            if (Files.exists(path) && needsCutting(path, lastStep)) {
                cut(path, lastStep);
            }
        } catch (IOException e) {
            throw QuernException.io("cannot rewrite %s up to step %d".formatted(path, lastStep), e);
        }
        file = new RecordFile(path);
    }

    void append(Map<String, ?> line) {
        file.append((JSON.writeValueAsString(line) + '\n').getBytes(StandardCharsets.UTF_8));
    }

    /// A number as JSON can say it.
    static Double finite(double value) {
        return Double.isFinite(value) ? value : null;
    }

    @Override
    public void close() {
        file.close();
    }

    /// Hands over the objects of a file, without lines that are none (the torn one that a kill can leave).
    static void read(Path path, Consumer<JsonNode> each) throws IOException {
        forEachLine(path, (line, object) -> {
            if (object != null) {
                each.accept(object);
            }
        });
    }

    private static boolean needsCutting(Path path, long lastStep) throws IOException {
        boolean[] dropped = {!endsInNewline(path)};
        forEachLine(path, (line, object) -> dropped[0] |= !keeps(object, lastStep));
        return dropped[0];
    }

    private static boolean keeps(JsonNode object, long lastStep) {
        return object != null && object.path("step").asLong(Long.MAX_VALUE) <= lastStep;
    }

    private static void cut(Path path, long lastStep) throws IOException {
        AtomicFile.write(
                path,
                out -> forEachLine(path, (line, object) -> {
                    if (keeps(object, lastStep)) {
                        out.write(line);
                        out.write('\n');
                    }
                }));
    }

    private static boolean endsInNewline(Path path) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
            if (file.length() == 0) {
                return true;
            }
            file.seek(file.length() - 1);
            return file.read() == '\n';
        }
    }

    private interface LineVisitor {
        /// `object` is null where the line is no JSON object.
        void visit(String line, JsonNode object) throws IOException;
    }

    private static void forEachLine(Path path, LineVisitor visitor) throws IOException {
        // Not Files.newBufferedReader, which throws at bytes that are not UTF-8: a torn line may end in such.
        try (BufferedReader in =
                new BufferedReader(new InputStreamReader(Files.newInputStream(path), StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                visitor.visit(line, parse(line));
            }
        }
    }

    private static JsonNode parse(String line) {
        try {
            JsonNode object = JSON.readTree(line);
            return object.isObject() ? object : null;
        } catch (JacksonException e) {
            return null;
        }
    }
}
