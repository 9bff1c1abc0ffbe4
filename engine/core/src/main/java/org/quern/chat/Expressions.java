package org.quern.chat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads the expressions of a template: literals, lists and maps; `or`, `and`, `not`, comparisons, `in`, `is`,
/// `~`, `+`, `-`, `*`, `/`, `%`; `a if b else c`; fields, indices and slices; the filters, methods and
/// functions of [Calls].
final class Expressions {
    /// An expression.
    @FunctionalInterface
    interface Value {
        Object in(Scope scope);
    }

    private static final Pattern TOKEN = Pattern.compile(
            "\\s*(?:(\\d+\\.\\d+|\\d+)|([A-Za-z_]\\w*)|('(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\")|(==|!=|<=|>=|[-+*/%~|.,:=<>()\\[\\]{}]))",
            Pattern.DOTALL);

    private final List<String> tokens = new ArrayList<>();
    private final int line;
    private int at;

    Expressions(String source, int line) {
        this.line = line;
        Matcher matcher = TOKEN.matcher(source);
        int from = 0;
        while (matcher.region(from, source.length()).lookingAt()) {
            tokens.add(matcher.group().strip());
            from = matcher.end();
        }
        if (!source.substring(from).isBlank()) {
            throw Template.problem(line, "\"" + source.substring(from).strip() + "\" cannot be read");
        }
    }

    static Value whole(String source, int line) {
        return new Expressions(source, line).toEnd();
    }

    Value toEnd() {
        Value value = value();
        end();
        return value;
    }

    void end() {
        if (at < tokens.size()) {
            throw Template.problem(line, "\"" + tokens.get(at) + "\" is not expected there");
        }
    }

    private String peek() {
        return at < tokens.size() ? tokens.get(at) : "";
    }

    boolean accept(String token) {
        if (!peek().equals(token)) {
            return false;
        }
        at++;
        return true;
    }

    void expect(String token) {
        if (!accept(token)) {
            throw Template.problem(
                    line,
                    "expected \"%s\", found %s".formatted(token, peek().isEmpty() ? "the end" : "\"" + peek() + "\""));
        }
    }

    String name() {
        if (!peek().matches("[A-Za-z_]\\w*")) {
            throw Template.problem(line, "expected a name, found \"" + peek() + "\"");
        }
        return tokens.get(at++);
    }

    List<String> names() {
        List<String> names = new ArrayList<>(List.of(name()));
        while (accept(",")) {
            names.add(name());
        }
        return names;
    }

    private Value value() {
        Value then = choiceFree();
        if (!accept("if")) {
            return then;
        }
        Value condition = choiceFree();
        Value otherwise = accept("else") ? value() : _ -> Scope.UNDEFINED;
        return scope -> Values.isTrue(condition.in(scope)) ? then.in(scope) : otherwise.in(scope);
    }

    /// An expression without `if`, which can stand before the `if` of a loop.
    Value choiceFree() {
        Value left = conjunction();
        while (accept("or")) {
            Value a = left;
            Value b = conjunction();
            left = scope -> {
                Object first = a.in(scope);
                return Values.isTrue(first) ? first : b.in(scope);
            };
        }
        return left;
    }

    private Value conjunction() {
        Value left = negation();
        while (accept("and")) {
            Value a = left;
            Value b = negation();
            left = scope -> {
                Object first = a.in(scope);
                return Values.isTrue(first) ? b.in(scope) : first;
            };
        }
        return left;
    }

    private Value negation() {
        if (accept("not")) {
            Value value = negation();
            return scope -> !Values.isTrue(value.in(scope));
        }
        return comparison();
    }

    private Value comparison() {
        Value left = sum();
        while (true) {
            String operator = peek();
            if (!List.of("==", "!=", "<", "<=", ">", ">=", "in", "not", "is").contains(operator)) {
                return left;
            }
            at++;
            Value a = left;
            left = switch (operator) {
                case "is" -> {
                    boolean not = accept("not");
                    String test = name();
                    yield scope -> Calls.test(test, a.in(scope), line) != not;
                }
                case "in", "not" -> {
                    boolean not = operator.equals("not");
                    if (not) {
                        expect("in");
                    }
                    Value b = sum();
                    yield scope -> Values.contains(b.in(scope), a.in(scope), line) != not;
                }
                default -> {
                    Value b = sum();
                    yield scope -> compare(operator, a.in(scope), b.in(scope));
                }
            };
        }
    }

    private boolean compare(String operator, Object a, Object b) {
        return switch (operator) {
            case "==" -> Objects.equals(a, b);
            case "!=" -> !Objects.equals(a, b);
            case "<" -> Values.compare(a, b, line) < 0;
            case "<=" -> Values.compare(a, b, line) <= 0;
            case ">" -> Values.compare(a, b, line) > 0;
            default -> Values.compare(a, b, line) >= 0;
        };
    }

    private Value sum() {
        Value left = product();
        while (List.of("+", "-", "~").contains(peek())) {
            String operator = tokens.get(at++);
            Value a = left;
            Value b = product();
            left = switch (operator) {
                case "+" -> scope -> Values.add(a.in(scope), b.in(scope), line);
                case "-" -> scope -> Values.arithmetic('-', a.in(scope), b.in(scope), line);
                default -> scope -> Values.text(a.in(scope)) + Values.text(b.in(scope));
            };
        }
        return left;
    }

    private Value product() {
        Value left = unary();
        while (List.of("*", "/", "%").contains(peek())) {
            char operator = tokens.get(at++).charAt(0);
            Value a = left;
            Value b = unary();
            left = scope -> Values.arithmetic(operator, a.in(scope), b.in(scope), line);
        }
        return left;
    }

    private Value unary() {
        if (accept("-")) {
            Value value = unary();
            return scope -> Values.arithmetic('-', 0L, value.in(scope), line);
        }
        return filtered(atom());
    }

    private Value filtered(Value first) {
        Value value = postfix(first);
        while (accept("|")) {
            String filter = name();
            List<Value> arguments = accept("(") ? arguments() : List.of();
            Value of = value;
            value = postfix(scope -> Calls.filter(filter, of.in(scope), in(scope, arguments), line));
        }
        return value;
    }

    private Value postfix(Value first) {
        Value value = first;
        while (true) {
            Value of = value;
            if (accept(".")) {
                String field = name();
                if (accept("(")) {
                    List<Value> arguments = arguments();
                    value = scope -> Calls.method(field, of.in(scope), in(scope, arguments), line);
                } else {
                    value = scope -> Values.field(of.in(scope), field);
                }
            } else if (accept("[")) {
                value = subscript(of);
            } else {
                return value;
            }
        }
    }

    private Value subscript(Value of) {
        List<Optional<Value>> bounds = new ArrayList<>();
        boolean slice = false;
        while (true) {
            bounds.add(peek().equals(":") || peek().equals("]") ? Optional.empty() : Optional.of(value()));
            if (!accept(":")) {
                break;
            }
            slice = true;
        }
        expect("]");
        if (!slice) {
            Value key = bounds.getFirst().orElseThrow(() -> Template.problem(line, "[] needs an index"));
            return scope -> Values.field(of.in(scope), key.in(scope));
        }
        return scope -> Values.slice(
                of.in(scope), bound(scope, bounds, 0), bound(scope, bounds, 1), bound(scope, bounds, 2), line);
    }

    private static Long bound(Scope scope, List<Optional<Value>> bounds, int i) {
        return i < bounds.size()
                        && bounds.get(i).isPresent()
                        && bounds.get(i).get().in(scope) instanceof Long bound
                ? bound
                : null;
    }

    /// Up to the closing parenthesis; `name=value` counts as a value and, for `namespace`, keeps its name.
    private List<Value> arguments() {
        List<Value> arguments = new ArrayList<>();
        while (!accept(")")) {
            if (at + 1 < tokens.size() && tokens.get(at + 1).equals("=")) {
                String name = name();
                expect("=");
                Value value = value();
                arguments.add(scope -> Map.entry(name, Optional.ofNullable(value.in(scope))));
            } else {
                arguments.add(value());
            }
            if (!peek().equals(")")) {
                expect(",");
            }
        }
        return arguments;
    }

    private static List<Object> in(Scope scope, List<Value> values) {
        List<Object> all = new ArrayList<>();
        values.forEach(value -> all.add(value.in(scope)));
        return all;
    }

    private Value atom() {
        String token = peek();
        if (token.isEmpty()) {
            throw Template.problem(line, "an expression is missing");
        }
        at++;
        char first = token.charAt(0);
        if (first == '\'' || first == '"') {
            StringBuilder text = new StringBuilder(unescaped(token));
            // As in Python, strings behind one another are one.
            while (!peek().isEmpty() && (peek().charAt(0) == '\'' || peek().charAt(0) == '"')) {
                text.append(unescaped(tokens.get(at++)));
            }
            String whole = text.toString();
            return _ -> whole;
        }
        if (Character.isDigit(first)) {
            Object number = token.contains(".") ? (Object) Double.valueOf(token) : (Object) Long.valueOf(token);
            return _ -> number;
        }
        return switch (token) {
            case "(" -> {
                Value value = value();
                if (peek().equals(",")) {
                    yield list(value, ")");
                }
                expect(")");
                yield value;
            }
            case "[" -> accept("]") ? _ -> List.of() : list(value(), "]");
            case "{" -> map();
            case "true", "True" -> _ -> true;
            case "false", "False" -> _ -> false;
            case "none", "None" -> _ -> null;
            default -> {
                at--;
                String name = name();
                if (!accept("(")) {
                    yield scope -> scope.get(name);
                }
                List<Value> arguments = arguments();
                yield scope -> Calls.function(name, in(scope, arguments), line);
            }
        };
    }

    private Value list(Value first, String end) {
        List<Value> values = new ArrayList<>(List.of(first));
        while (accept(",") && !peek().equals(end)) {
            values.add(value());
        }
        expect(end);
        return scope -> in(scope, values);
    }

    private Value map() {
        Map<Value, Value> entries = new LinkedHashMap<>();
        while (!accept("}")) {
            Value key = value();
            expect(":");
            entries.put(key, value());
            if (!peek().equals("}")) {
                expect(",");
            }
        }
        return scope -> {
            Map<Object, Object> map = new LinkedHashMap<>();
            entries.forEach((key, value) -> map.put(key.in(scope), value.in(scope)));
            return map;
        };
    }

    private static String unescaped(String quoted) {
        StringBuilder text = new StringBuilder();
        for (int i = 1; i < quoted.length() - 1; i++) {
            char c = quoted.charAt(i);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            c = quoted.charAt(++i);
            switch (c) {
                case 'n' -> text.append('\n');
                case 't' -> text.append('\t');
                case 'r' -> text.append('\r');
                case '\\', '\'', '"' -> text.append(c);
                default -> text.append('\\').append(c);
            }
        }
        return text.toString();
    }
}
