package org.quern.config;

import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.quern.store.Location;

/// Writes a record as the YAML that [ConfigReader] reads back to an equal record: every key that has a value, with
/// absolute paths.
public final class ConfigWriter {
    private ConfigWriter() {}

    public static String yaml(Record config) {
        StringBuilder out = new StringBuilder();
        section(out, config, "");
        return out.toString();
    }

    private static void section(StringBuilder out, Record section, String indent) {
        entries(section).forEach((key, value) -> {
            out.append(indent).append(key).append(':');
            if (value instanceof Record inner && !entries(inner).isEmpty()) {
                section(out.append('\n'), inner, indent + "  ");
            } else {
                out.append(' ').append(inline(value)).append('\n');
            }
        });
    }

    /// The keys that have values; an empty one has its [EmptyWord].
    private static Map<String, Object> entries(Record section) {
        Map<String, Object> entries = new LinkedHashMap<>();
        for (RecordComponent component : section.getClass().getRecordComponents()) {
            Object value = value(component, section);
            EmptyWord word = component.getAnnotation(EmptyWord.class);
            if (!(value instanceof Optional<?> optional)) {
                entries.put(Binder.key(component), value);
            } else if (optional.isPresent()) {
                entries.put(Binder.key(component), optional.get());
            } else if (word != null) {
                entries.put(Binder.key(component), word);
            }
        }
        return entries;
    }

    private static Object value(RecordComponent component, Record section) {
        try {
            component.getAccessor().setAccessible(true);
            return component.getAccessor().invoke(section);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String inline(Object value) {
        return switch (value) {
            case Enum<?> constant -> Binder.word(constant);
            case List<?> items -> items.stream().map(ConfigWriter::inline).collect(Collectors.joining(", ", "[", "]"));
            case String text -> quoted(text);
            case Path path -> quoted(path.toString());
            case Location location -> quoted(location.toString());
            case EmptyWord word -> word.value();
            case Record section ->
                entries(section).entrySet().stream()
                        .map(entry -> entry.getKey() + ": " + inline(entry.getValue()))
                        .collect(Collectors.joining(", ", "{", "}"));
            default -> value.toString();
        };
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        text.codePoints().forEach(c -> {
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c < 0x20 || c >= 0x7f && c < 0xa0 || c == 0xfeff || c == 0x2028 || c == 0x2029) {
                        out.append("\\u%04x".formatted(c));
                    } else {
                        out.appendCodePoint(c);
                    }
                }
            }
        });
        return out.append('"').toString();
    }
}
