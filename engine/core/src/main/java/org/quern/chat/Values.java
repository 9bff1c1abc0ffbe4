package org.quern.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.quern.base.Json;

/// What the values of templates mean: strings, longs, doubles, booleans, lists, maps, null and [Scope#UNDEFINED].
final class Values {
    /// Fields that a loop can change for what is around it.
    record Namespace(Map<String, Object> fields) {}

    private Values() {}

    static boolean isTrue(Object value) {
        return switch (value) {
            case null -> false;
            case Boolean flag -> flag;
            case Long number -> number != 0;
            case Double number -> number != 0;
            case String text -> !text.isEmpty();
            case List<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            default -> value != Scope.UNDEFINED;
        };
    }

    /// As Python writes it.
    static String text(Object value) {
        return switch (value) {
            case null -> "None";
            case Boolean flag -> flag ? "True" : "False";
            case List<?> list -> list.stream().map(Values::quoted).collect(Collectors.joining(", ", "[", "]"));
            case Map<?, ?> map ->
                map.entrySet().stream()
                        .map(e -> quoted(e.getKey()) + ": " + quoted(e.getValue()))
                        .collect(Collectors.joining(", ", "{", "}"));
            default -> value.toString();
        };
    }

    private static String quoted(Object value) {
        return value instanceof String text ? "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" : text(value);
    }

    static String json(Object value) {
        return Json.MAPPER.writeValueAsString(value);
    }

    static List<?> elements(Object value, int line) {
        return switch (value) {
            case List<?> list -> list;
            case Map<?, ?> map -> List.copyOf(map.keySet());
            case String text -> text.codePoints().mapToObj(Character::toString).toList();
            case null -> throw Template.problem(line, "None has no elements");
            default -> {
                if (value == Scope.UNDEFINED) {
                    yield List.of();
                }
                throw Template.problem(line, text(value) + " has no elements");
            }
        };
    }

    static Object field(Object of, Object key) {
        return switch (of) {
            case Namespace space -> space.fields().getOrDefault(key, Scope.UNDEFINED);
            case Map<?, ?> map -> map.containsKey(key) ? map.get(key) : Scope.UNDEFINED;
            case List<?> list when key instanceof Long index -> at(list, index);
            case String text when key instanceof Long index -> at(elements(text, 0), index);
            case null, default -> Scope.UNDEFINED;
        };
    }

    private static Object at(List<?> list, long index) {
        long i = index < 0 ? index + list.size() : index;
        return i >= 0 && i < list.size() ? list.get((int) i) : Scope.UNDEFINED;
    }

    /// Python's `of[from:to:step]`; null where a bound is left out.
    static Object slice(Object of, Long from, Long to, Long step, int line) {
        List<?> all = elements(of, line);
        int size = all.size();
        long by = step == null ? 1 : step;
        if (by == 0) {
            throw Template.problem(line, "a slice has the step 0");
        }
        long begin = bound(from, by > 0 ? 0 : size - 1, size, by < 0);
        long end = bound(to, by > 0 ? size : -1, size, by < 0);
        List<Object> taken = new ArrayList<>();
        for (long i = begin; by > 0 ? i < end : i > end; i += by) {
            taken.add(all.get((int) i));
        }
        return of instanceof String ? taken.stream().map(String.class::cast).collect(Collectors.joining()) : taken;
    }

    private static long bound(Long value, long missing, int size, boolean back) {
        if (value == null) {
            return missing;
        }
        long index = value < 0 ? value + size : value;
        return back ? Math.clamp(index, -1, size - 1L) : Math.clamp(index, 0, (long) size);
    }

    static boolean contains(Object all, Object one, int line) {
        return all instanceof String text
                ? text.contains(text(one))
                : elements(all, line).contains(one);
    }

    static Object add(Object a, Object b, int line) {
        if (a instanceof List<?> x && b instanceof List<?> y) {
            List<Object> both = new ArrayList<>(x);
            both.addAll(y);
            return both;
        }
        if (a instanceof String x && b instanceof String y) {
            return x + y;
        }
        return arithmetic('+', a, b, line);
    }

    static Object arithmetic(char operator, Object a, Object b, int line) {
        if (a instanceof Long x && b instanceof Long y && operator != '/') {
            if (operator == '%' && y == 0) {
                throw Template.problem(line, "division by zero");
            }
            return switch (operator) {
                case '+' -> x + y;
                case '-' -> x - y;
                case '*' -> x * y;
                default -> Math.floorMod(x, y);
            };
        }
        if (a instanceof Number x && b instanceof Number y) {
            return switch (operator) {
                case '+' -> x.doubleValue() + y.doubleValue();
                case '-' -> x.doubleValue() - y.doubleValue();
                case '*' -> x.doubleValue() * y.doubleValue();
                case '/' -> x.doubleValue() / y.doubleValue();
                default -> x.doubleValue() % y.doubleValue();
            };
        }
        throw Template.problem(
                line, "%s %s %s: not two numbers or two strings".formatted(quoted(a), operator, quoted(b)));
    }

    static int compare(Object a, Object b, int line) {
        if (a instanceof Number x && b instanceof Number y) {
            return Double.compare(x.doubleValue(), y.doubleValue());
        }
        if (a instanceof String x && b instanceof String y) {
            return x.compareTo(y);
        }
        throw Template.problem(line, quoted(a) + " and " + quoted(b) + " cannot be compared");
    }
}
