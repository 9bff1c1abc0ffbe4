package org.quern.config;

import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.List;
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
        for (RecordComponent component : section.getClass().getRecordComponents()) {
            String key = indent + Binder.key(component) + ":";
            Object value = value(component, section);
            if (value instanceof Optional<?> optional) {
                EmptyWord word = component.getAnnotation(EmptyWord.class);
                if (optional.isEmpty() && word != null) {
                    out.append(key).append(' ').append(word.value()).append('\n');
                }
                if (optional.isEmpty()) {
                    continue;
                }
                value = optional.get();
            }
            if (value instanceof Record inner) {
                int start = out.append(key).append('\n').length();
                section(out, inner, indent + "  ");
                if (out.length() == start) {
                    out.insert(start - 1, " {}");
                }
            } else {
                out.append(key).append(' ').append(inline(value)).append('\n');
            }
        }
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
