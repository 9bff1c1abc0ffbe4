package org.quern.config;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.quern.config.Tree.Entry;
import org.quern.config.Tree.Place;
import org.quern.config.Tree.Problem;
import org.quern.config.Tree.Scalar;
import org.quern.config.Tree.Section;
import org.quern.config.Tree.Sequence;
import org.quern.store.Location;
import org.quern.store.StorePlace;

/// Makes records of a [Tree], noting every problem on the way. Methods that bind return empty when they noted one.
final class Binder {
    private static final Pattern INTEGER = Pattern.compile("[-+]?[0-9][0-9_]*");
    private static final Pattern DECIMAL =
            Pattern.compile("[-+]?(\\.[0-9_]+|[0-9][0-9_]*(\\.[0-9_]*)?)([eE][-+]?[0-9]+)?");

    /// What follows a key in a path: a dot, or the number of an item.
    private static final String NOT_A_KEY = "[.\\[]";

    private final Class<?> root;
    private final List<Problem> problems;

    Binder(Class<?> root, List<Problem> problems) {
        this.root = root;
        this.problems = problems;
    }

    /// Binds a section to a record.
    ///
    /// @param at where the section begins
    /// @param path the section's keys joined by dots, empty for the whole file
    Optional<Object> section(Class<?> type, Section section, Place at, String path) {
        RecordComponent[] components = type.getRecordComponents();
        List<String> keys = keys(type);
        for (Map.Entry<String, Entry> entry : section.entries().entrySet()) {
            if (!keys.contains(entry.getKey())) {
                problem(entry.getValue().place(), unknown(entry.getKey(), keys, path));
            }
        }
        Object[] values = new Object[components.length];
        boolean complete = true;
        for (int i = 0; i < components.length; i++) {
            Optional<Object> value = component(components[i], section, at, path);
            complete &= value.isPresent();
            values[i] = value.orElse(null);
        }
        if (!complete) {
            return Optional.empty();
        }
        Object value = construct(type, components, values);
        if (value instanceof Checked checked) {
            for (String text : checked.problems()) {
                String key = text.substring(0, text.indexOf(' '));
                boolean known = keys.contains(key.split(NOT_A_KEY)[0]);
                problem(placeOf(key, section, at), known ? join(path, text) : (path + " " + text).strip());
            }
        }
        return Optional.of(value);
    }

    private Optional<Object> component(RecordComponent component, Section section, Place at, String path) {
        String key = key(component);
        Type type = component.getGenericType();
        Slot slot = new Slot(component, type, expected(component, type), at, join(path, key));
        Entry entry = section.entries().get(key);
        if (entry != null) {
            return value(slot.at(entry.place()), entry.value());
        }
        Default byDefault = component.getAnnotation(Default.class);
        if (byDefault != null) {
            return value(
                    slot, new TreeReader(problems).value(byDefault.value(), at).orElseThrow());
        }
        Optional<Object> inherited = inherited(component);
        if (inherited.isPresent()) {
            return inherited;
        }
        if (component.getType() == Optional.class) {
            return Optional.of(Optional.empty());
        }
        problem(at, slot.path() + " is missing: " + slot.expected());
        return Optional.empty();
    }

    /// What the component is in the record's own `DEFAULT`, if it has one.
    private static Optional<Object> inherited(RecordComponent component) {
        Class<?> type = component.getDeclaringRecord();
        try {
            Field defaults = type.getDeclaredField("DEFAULT");
            component.getAccessor().setAccessible(true);
            defaults.setAccessible(true);
            return Optional.of(component.getAccessor().invoke(defaults.get(null)));
        } catch (NoSuchFieldException e) {
            return Optional.empty();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /// What a value is bound to.
    ///
    /// @param component whose annotations hold for the value
    /// @param type of the value, or of what the component's `List` or `Optional` holds
    /// @param expected the type in words
    /// @param at where the key is
    /// @param path the keys that lead to it
    private record Slot(RecordComponent component, Type type, String expected, Place at, String path) {
        Slot at(Place place) {
            return new Slot(component, type, expected, place, path);
        }

        Slot item(int index, Place place) {
            Type item = argument(type);
            return new Slot(component, item, Binder.expected(component, item), place, path + "[" + index + "]");
        }

        Slot content() {
            return new Slot(component, argument(type), expected, at, path);
        }

        Optional<String> emptyWord() {
            return Optional.ofNullable(component.getAnnotation(EmptyWord.class)).map(EmptyWord::value);
        }

        boolean allows(double value) {
            Range range = component.getAnnotation(Range.class);
            boolean inside = range == null
                    || value >= range.min() && value <= range.max() && value > range.above() && value < range.below();
            return inside && Double.isFinite(value);
        }
    }

    private Optional<Object> value(Slot slot, Tree tree) {
        Class<?> type = raw(slot.type());
        if (type == Optional.class) {
            boolean empty = tree instanceof Scalar scalar
                    && slot.emptyWord().filter(scalar.text()::equals).isPresent();
            return empty
                    ? Optional.of(Optional.empty())
                    : value(slot.content(), tree).map(Optional::of);
        }
        if (tree instanceof Scalar scalar && scalar.isNull()) {
            return mistyped(slot, "nothing", "");
        }
        if (type == List.class) {
            return list(slot, tree);
        }
        if (type.isRecord() && tree instanceof Section section) {
            return section(type, section, slot.at(), slot.path());
        }
        return !type.isRecord() && tree instanceof Scalar scalar
                ? scalar(slot, type, scalar)
                : mistyped(slot, shown(tree), "");
    }

    private Optional<Object> list(Slot slot, Tree tree) {
        if (!(tree instanceof Sequence sequence)) {
            String hint = tree instanceof Scalar ? " (write [%s])".formatted(shown(tree)) : "";
            return mistyped(slot, shown(tree), hint);
        }
        List<Object> items = new ArrayList<>();
        for (int i = 0; i < sequence.items().size(); i++) {
            Tree item = sequence.items().get(i);
            value(slot.item(i, item.place()), item).ifPresent(items::add);
        }
        return items.size() == sequence.items().size() ? Optional.of(List.copyOf(items)) : Optional.empty();
    }

    private Optional<Object> scalar(Slot slot, Class<?> type, Scalar scalar) {
        String text = scalar.text();
        if (type == String.class) {
            return Optional.of(text);
        }
        if (type == Path.class) {
            return Optional.of(path(text, scalar.place().folder()));
        }
        if (type == Location.class) {
            if (!StorePlace.isPlace(text)) {
                return Optional.of(Location.of(path(text, scalar.place().folder())));
            }
            Optional<String> wrong = Location.problem(text);
            wrong.ifPresent(reason -> problem(slot.at(), slot.path() + " " + reason));
            return wrong.isEmpty() ? Optional.of(Location.stored(text)) : Optional.empty();
        }
        if (type.isEnum()) {
            for (Object constant : type.getEnumConstants()) {
                if (word(constant).equals(text)) {
                    return Optional.of(constant);
                }
            }
            return mistyped(slot, shown(scalar), didYouMean(Spelling.nearest(text, words(type))));
        }
        if (!scalar.plain()) {
            return mistyped(slot, shown(scalar), " (leave out the quotes)");
        }
        if (type == boolean.class || type == Boolean.class) {
            return switch (text) {
                case "true", "True", "TRUE" -> Optional.of(true);
                case "false", "False", "FALSE" -> Optional.of(false);
                default -> mistyped(slot, text, booleanHint(text));
            };
        }
        return number(slot, type, text);
    }

    private Optional<Object> number(Slot slot, Class<?> type, String text) {
        boolean isInt = type == int.class || type == Integer.class;
        boolean whole = isInt || type == long.class || type == Long.class;
        String digits = text.replace("_", "");
        if (!(whole ? INTEGER : DECIMAL).matcher(text).matches()) {
            return mistyped(slot, text, whole ? wholeHint(digits) : "");
        }
        double value = Double.parseDouble(digits);
        if (!slot.allows(value)) {
            return mistyped(slot, text, "");
        }
        if (!whole) {
            return Optional.of(value);
        }
        try {
            return Optional.of(isInt ? (Object) Integer.valueOf(digits) : (Object) Long.valueOf(digits));
        } catch (NumberFormatException e) {
            long largest = isInt ? Integer.MAX_VALUE : Long.MAX_VALUE;
            return mistyped(slot, text, " (the largest possible is %d)".formatted(largest));
        }
    }

    /// `1e3` is meant as 1000.
    private static String wholeHint(String text) {
        if (!DECIMAL.matcher(text).matches()) {
            return "";
        }
        double value = Double.parseDouble(text);
        return value == Math.rint(value) && Math.abs(value) < 1e15 ? " (write %d)".formatted((long) value) : "";
    }

    /// YAML 1.1 had more words for truth.
    private static String booleanHint(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "yes", "on", "y", "1" -> " (write true)";
            case "no", "off", "n", "0" -> " (write false)";
            default -> "";
        };
    }

    private static Path path(String text, Path folder) {
        boolean home = text.equals("~") || text.startsWith("~/");
        Path path = home ? Path.of(System.getProperty("user.home"), text.substring(1)) : folder.resolve(text);
        return path.toAbsolutePath().normalize();
    }

    private Optional<Object> mistyped(Slot slot, String got, String hint) {
        problem(slot.at(), "%s must be %s: got %s%s".formatted(slot.path(), slot.expected(), got, hint));
        return Optional.empty();
    }

    private String unknown(String key, List<String> keys, String path) {
        Optional<String> meant = Spelling.nearest(key, keys).or(() -> elsewhere(root, "", key));
        String section = path.isEmpty() ? "the configuration" : path;
        String hint = meant.isPresent() ? didYouMean(meant) : " (it has %s)".formatted(String.join(", ", keys));
        return "%s is not a key of %s%s".formatted(join(path, key), section, hint);
    }

    /// A key of the same name in another section.
    private static Optional<String> elsewhere(Class<?> type, String path, String key) {
        for (RecordComponent component : type.getRecordComponents()) {
            String candidate = join(path, key(component));
            if (key(component).equals(key)) {
                return Optional.of(candidate);
            }
            Class<?> inner = inner(component.getGenericType());
            Optional<String> found = inner.isRecord() ? elsewhere(inner, candidate, key) : Optional.empty();
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    private static String didYouMean(Optional<String> meant) {
        return meant.map(" (did you mean %s?)"::formatted).orElse("");
    }

    /// In words, what a value must be.
    private static String expected(RecordComponent component, Type type) {
        EmptyWord word = component.getAnnotation(EmptyWord.class);
        if (raw(type) == Optional.class) {
            String value = expected(component, argument(type));
            return word == null ? value : value + ", or " + word.value();
        }
        if (raw(type) == List.class) {
            return "a list, each " + expected(component, argument(type));
        }
        return described(raw(type)) + limits(component.getAnnotation(Range.class));
    }

    private static String described(Class<?> type) {
        if (type.isEnum()) {
            return "one of " + String.join(", ", words(type));
        }
        if (type.isRecord()) {
            return "a section with the keys " + String.join(", ", keys(type));
        }
        return switch (type.getSimpleName()) {
            case "int", "Integer", "long", "Long" -> "a whole number";
            case "double", "Double" -> "a number";
            case "boolean", "Boolean" -> "true or false";
            case "String" -> "a text";
            case "Path" -> "a path";
            case "Location" -> "a path or s3://BUCKET/KEY";
            default -> throw new IllegalStateException("a configuration cannot hold " + type);
        };
    }

    private static String limits(Range range) {
        if (range == null) {
            return "";
        }
        List<String> limits = new ArrayList<>();
        addLimit(limits, ">=", range.min());
        addLimit(limits, ">", range.above());
        addLimit(limits, "<=", range.max());
        addLimit(limits, "<", range.below());
        return " " + String.join(" and ", limits);
    }

    private static void addLimit(List<String> limits, String sign, double limit) {
        if (Double.isFinite(limit)) {
            limits.add(sign + " " + (limit == Math.rint(limit) ? String.valueOf((long) limit) : limit));
        }
    }

    private static String shown(Tree tree) {
        return switch (tree) {
            case Scalar scalar -> scalar.plain() ? scalar.text() : '"' + scalar.text() + '"';
            case Sequence _ -> "a list";
            case Section _ -> "a section";
        };
    }

    /// The place of a key inside a section, or of the innermost section around it that was written.
    private static Place placeOf(String path, Section section, Place at) {
        Place place = at;
        Tree tree = section;
        for (String key : path.split(NOT_A_KEY)) {
            if (!(tree instanceof Section around) || !around.entries().containsKey(key)) {
                break;
            }
            Entry entry = around.entries().get(key);
            place = entry.place();
            tree = entry.value();
        }
        return place;
    }

    private static Object construct(Class<?> type, RecordComponent[] components, Object[] values) {
        Class<?>[] types =
                Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
        try {
            Constructor<?> constructor = type.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(values);
        } catch (InvocationTargetException e) {
            throw new IllegalStateException("a configuration record must not throw: " + type, e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private void problem(Place place, String text) {
        problems.add(new Problem(place, text));
    }

    private static String join(String path, String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    private static List<String> keys(Class<?> type) {
        return Arrays.stream(type.getRecordComponents()).map(Binder::key).toList();
    }

    /// `microBatch` is written `micro_batch`.
    static String key(RecordComponent component) {
        return component.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    /// `GELU_TANH` is written `gelu_tanh`.
    static String word(Object constant) {
        return ((Enum<?>) constant).name().toLowerCase(Locale.ROOT);
    }

    private static List<String> words(Class<?> type) {
        return Arrays.stream(type.getEnumConstants()).map(Binder::word).collect(Collectors.toList());
    }

    /// What lists and optionals hold in the end.
    private static Class<?> inner(Type type) {
        return type instanceof ParameterizedType ? inner(argument(type)) : raw(type);
    }

    private static Class<?> raw(Type type) {
        return (Class<?>) (type instanceof ParameterizedType parameterized ? parameterized.getRawType() : type);
    }

    private static Type argument(Type type) {
        return ((ParameterizedType) type).getActualTypeArguments()[0];
    }
}
