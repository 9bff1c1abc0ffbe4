package org.quern.launcher.bench.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// What was measured, as it came: a file of JSON lines that are only ever added to. The first says on what; each
/// other has `stage`, and `command` where it begins, `line` for each of its output, `lost` and `reason` for what
/// was under way when its process ended, or `end` and `seconds`.
final class Journal {
    private static final String DONE = "done";

    private final Path file;
    private final List<JsonNode> entries = new ArrayList<>();

    /// Goes on with a file that is there.
    ///
    /// @param head on what it is measured
    /// @throws QuernException if the file is about something else
    Journal(Path file, JsonNode head) {
        this.file = file;
        if (Files.exists(file)) {
            read();
        }
        if (entries.isEmpty()) {
            add(head);
        } else if (!subject(entries.getFirst()).equals(subject(head))) {
            throw QuernException.data("%s has figures of %s, and this is %s: name another folder by --output"
                    .formatted(file, subject(entries.getFirst()), subject(head)));
        }
    }

    private void read() {
        try {
            for (String line : Files.readAllLines(file)) {
                try {
                    entries.add(Json.MAPPER.readTree(line));
                } catch (JacksonException _) {
                    // Whoever wrote it was killed.
                }
            }
            // What comes begins a line of its own.
            Files.writeString(file, "\n", StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw QuernException.io("%s cannot be read".formatted(file), e);
        }
        entries.removeIf(JsonNode::isMissingNode);
    }

    private static String subject(JsonNode head) {
        JsonNode run = head.path("run");
        return "%s, driver %s, Quern %s"
                .formatted(
                        run.path("device").asString(""),
                        run.path("driver").asString(""),
                        run.path("quern").asString(""));
    }

    private void add(JsonNode entry) {
        entries.add(entry);
        try {
            Files.writeString(
                    file,
                    Json.MAPPER.writeValueAsString(entry) + "\n",
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw QuernException.io("%s cannot be written".formatted(file), e);
        }
    }

    private void add(Stage stage, Map<String, ?> what) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("stage", stage.key());
        entry.putAll(what);
        add(Json.MAPPER.valueToTree(entry));
    }

    void begin(Stage stage, String command) {
        add(stage, Map.of("command", command));
    }

    void line(Stage stage, JsonNode line) {
        add(stage, Map.of("line", line));
    }

    void lost(Stage stage, String what, String reason) {
        add(stage, Map.of("lost", what, "reason", reason));
    }

    /// @param how for people; `done` where nothing is left to do
    void end(Stage stage, String how, double seconds) {
        add(stage, Map.of("end", how, "seconds", seconds));
    }

    void done(Stage stage, double seconds) {
        end(stage, DONE, seconds);
    }

    boolean isDone(Stage stage) {
        return last(stage, "end").filter(DONE::equals).isPresent();
    }

    /// The first entry.
    JsonNode head() {
        return entries.getFirst();
    }

    List<JsonNode> lines(Stage stage) {
        return of(stage).stream()
                .filter(entry -> entry.has("line"))
                .map(entry -> entry.get("line"))
                .toList();
    }

    /// What was lost, and why.
    Map<String, String> losses(Stage stage) {
        Map<String, String> losses = new LinkedHashMap<>();
        of(stage).stream()
                .filter(entry -> entry.has("lost"))
                .forEach(entry -> losses.put(
                        entry.get("lost").asString(), entry.path("reason").asString("")));
        return losses;
    }

    /// The last value of a key.
    Optional<String> last(Stage stage, String key) {
        return of(stage).stream()
                .filter(entry -> entry.has(key))
                .map(entry -> entry.get(key).asString(""))
                .reduce((_, next) -> next);
    }

    /// All its starts together.
    double seconds(Stage stage) {
        return of(stage).stream()
                .mapToDouble(entry -> entry.path("seconds").asDouble(0))
                .sum();
    }

    private List<JsonNode> of(Stage stage) {
        return entries.stream()
                .filter(entry -> entry.path("stage").asString("").equals(stage.key()))
                .toList();
    }
}
