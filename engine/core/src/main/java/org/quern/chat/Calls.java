package org.quern.chat;

import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/// The functions, filters, tests and methods that chat templates use.
final class Calls {
    private static final int MOST = 1 << 16;

    private Calls() {}

    static Object function(String name, List<Object> arguments, int line) {
        return switch (name) {
            case "raise_exception" ->
                throw Template.problem(
                        line, "the template refuses the conversation: " + Values.text(arguments.getFirst()));
            case "namespace" -> {
                Map<String, Object> fields = new LinkedHashMap<>();
                for (Object argument : arguments) {
                    if (argument instanceof Map.Entry<?, ?> entry
                            && entry.getKey() instanceof String field
                            && entry.getValue() instanceof Optional<?> value) {
                        fields.put(field, value.orElse(null));
                    }
                }
                yield new Values.Namespace(fields);
            }
            case "range" -> range(arguments, line);
            case "strftime_now" -> now(Values.text(arguments.getFirst()), line);
            default -> throw Template.problem(line, "there is no function " + name);
        };
    }

    private static Object range(List<Object> arguments, int line) {
        long[] bounds =
                arguments.stream().mapToLong(value -> number(value, line)).toArray();
        long from = bounds.length > 1 ? bounds[0] : 0;
        long to = bounds.length > 1 ? bounds[1] : bounds[0];
        if (bounds.length > 2 || to - from > MOST) {
            throw Template.problem(line, "range takes one or two numbers, at most %d apart".formatted(MOST));
        }
        return LongStream.range(from, to).boxed().toList();
    }

    private static long number(Object value, int line) {
        if (value instanceof Long number) {
            return number;
        }
        throw Template.problem(line, Values.text(value) + " is no whole number");
    }

    /// Python's format of a time, as far as dates go.
    private static String now(String format, int line) {
        StringBuilder out = new StringBuilder();
        LocalDateTime time = LocalDateTime.now(ZoneOffset.UTC);
        for (int i = 0; i < format.length(); i++) {
            if (format.charAt(i) != '%' || i + 1 == format.length()) {
                out.append(format.charAt(i));
                continue;
            }
            String pattern = switch (format.charAt(++i)) {
                case 'd' -> "dd";
                case 'm' -> "MM";
                case 'b' -> "MMM";
                case 'B' -> "MMMM";
                case 'y' -> "yy";
                case 'Y' -> "yyyy";
                case 'H' -> "HH";
                case 'M' -> "mm";
                case 'S' -> "ss";
                case 'A' -> "EEEE";
                case 'a' -> "EEE";
                default -> throw Template.problem(line, "strftime_now does not know %" + format.charAt(i));
            };
            out.append(time.format(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH)));
        }
        return out.toString();
    }

    static boolean test(String name, Object value, int line) {
        return switch (name) {
            case "defined" -> value != Scope.UNDEFINED;
            case "undefined" -> value == Scope.UNDEFINED;
            case "none" -> value == null;
            case "string" -> value instanceof String;
            case "number" -> value instanceof Number;
            case "boolean" -> value instanceof Boolean;
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "mapping" -> value instanceof Map;
            case "sequence", "iterable" -> value instanceof List || value instanceof Map || value instanceof String;
            case "odd" -> number(value, line) % 2 != 0;
            case "even" -> number(value, line) % 2 == 0;
            default -> throw Template.problem(line, "there is no test " + name);
        };
    }

    static Object filter(String name, Object value, List<Object> arguments, int line) {
        return switch (name) {
            case "trim" -> Values.text(value).strip();
            case "upper" -> Values.text(value).toUpperCase(Locale.ROOT);
            case "lower" -> Values.text(value).toLowerCase(Locale.ROOT);
            case "string" -> Values.text(value);
            case "safe" -> value;
            case "tojson" -> Values.json(value);
            case "int" ->
                value instanceof Number n
                        ? (Object) n.longValue()
                        : (Object) Long.valueOf(Values.text(value).strip());
            case "length", "count" ->
                value instanceof String text
                        ? (Object) (long) text.codePointCount(0, text.length())
                        : (Object) (long) Values.elements(value, line).size();
            case "list" -> Values.elements(value, line);
            case "first" -> Values.field(Values.elements(value, line), 0L);
            case "last" -> Values.field(Values.elements(value, line), -1L);
            case "join" ->
                Values.elements(value, line).stream()
                        .map(Values::text)
                        .collect(Collectors.joining(arguments.isEmpty() ? "" : Values.text(arguments.getFirst())));
            case "default" -> value == Scope.UNDEFINED ? arguments.getFirst() : value;
            case "items" -> method("items", value, arguments, line);
            case "replace" -> method("replace", value, arguments, line);
            default -> throw Template.problem(line, "there is no filter " + name);
        };
    }

    static Object method(String name, Object of, List<Object> arguments, int line) {
        if (of instanceof Map<?, ?> map) {
            return switch (name) {
                case "items" ->
                    map.entrySet().stream()
                            .map(e -> Arrays.asList(e.getKey(), e.getValue()))
                            .toList();
                case "keys" -> List.copyOf(map.keySet());
                case "values" -> map.values().stream().toList();
                case "get" ->
                    map.containsKey(arguments.getFirst())
                            ? map.get(arguments.getFirst())
                            : arguments.size() > 1 ? arguments.get(1) : null;
                default -> throw Template.problem(line, "a map has no method " + name);
            };
        }
        if (!(of instanceof String text)) {
            throw Template.problem(line, "%s has no method %s".formatted(Values.text(of), name));
        }
        String argument = arguments.isEmpty() ? null : Values.text(arguments.getFirst());
        return switch (name) {
            case "strip" -> stripped(text, argument, true, true);
            case "lstrip" -> stripped(text, argument, true, false);
            case "rstrip" -> stripped(text, argument, false, true);
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "title", "capitalize" ->
                text.isEmpty() ? text : text.substring(0, 1).toUpperCase(Locale.ROOT) + text.substring(1);
            case "startswith" -> text.startsWith(argument);
            case "endswith" -> text.endsWith(argument);
            case "replace" -> text.replace(argument, Values.text(arguments.get(1)));
            case "find" -> (long) text.indexOf(argument);
            case "split" ->
                argument == null
                        ? Arrays.asList(text.strip().split("\\s+"))
                        : Arrays.asList(text.split(Pattern.quote(argument), -1));
            default -> throw Template.problem(line, "a string has no method " + name);
        };
    }

    /// @param signs that are stripped; null: white space
    private static String stripped(String text, String signs, boolean left, boolean right) {
        int from = 0;
        int to = text.length();
        while (left && from < to && isOneOf(text.charAt(from), signs)) {
            from++;
        }
        while (right && to > from && isOneOf(text.charAt(to - 1), signs)) {
            to--;
        }
        return text.substring(from, to);
    }

    private static boolean isOneOf(char c, String signs) {
        return signs == null ? Character.isWhitespace(c) : signs.indexOf(c) >= 0;
    }
}
