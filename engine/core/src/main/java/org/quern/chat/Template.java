package org.quern.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.quern.base.QuernException;

/// Reads the statements of a template: text, `{{ }}`, `{# #}`, `for` (with `if` and `else`), `if`, `set`, and
/// `generation`, which only marks a part.
final class Template {
    /// A part of a template.
    @FunctionalInterface
    interface Node {
        void render(Scope scope, StringBuilder out);
    }

    private enum Kind {
        TEXT,
        OUTPUT,
        STATEMENT
    }

    private record Part(Kind kind, String content, int line) {}

    private final List<Part> parts;
    private int at;

    private Template(List<Part> parts) {
        this.parts = parts;
    }

    static Node parse(String source) {
        // As in Jinja, a line end at the very end does not count.
        String text = source.endsWith("\n") ? source.substring(0, source.length() - 1) : source;
        Template template = new Template(parts(text));
        Node root = template.block(Set.of());
        if (template.at < template.parts.size()) {
            throw template.unexpected(template.parts.get(template.at));
        }
        return root;
    }

    /// Cuts a template where `{{`, `{%` and `{#` begin and end. A line end right behind a statement or a
    /// comment, and spaces between a line's start and one, belong to it; so does all white space on the side of
    /// a dash.
    private static List<Part> parts(String source) {
        List<Part> parts = new ArrayList<>();
        int from = 0;
        boolean stripNext = false;
        while (true) {
            int open = nextOpen(source, from);
            String text = source.substring(from, open < 0 ? source.length() : open);
            if (stripNext) {
                text = text.stripLeading();
            }
            if (open < 0) {
                add(parts, Kind.TEXT, text, source, from);
                return parts;
            }
            char sort = source.charAt(open + 1);
            boolean dash = source.startsWith("-", open + 2);
            if (dash) {
                text = text.stripTrailing();
            } else if (sort != '{') {
                int end = text.length();
                while (end > 0 && (text.charAt(end - 1) == ' ' || text.charAt(end - 1) == '\t')) {
                    end--;
                }
                if (end == 0 ? isLineStart(source, open - text.length()) : text.charAt(end - 1) == '\n') {
                    text = text.substring(0, end);
                }
            }
            add(parts, Kind.TEXT, text, source, from);
            String closing = sort == '{' ? "}}" : sort == '%' ? "%}" : "#}";
            int close = close(source, open + 2, closing, sort == '#');
            if (close < 0) {
                throw problem(line(source, open), "\"" + source.substring(open, open + 2) + "\" is never closed");
            }
            stripNext = source.charAt(close - 1) == '-' && close - 1 > open + 1;
            String content = source.substring(
                    open + (dash ? 3 : 2), Math.max(open + (dash ? 3 : 2), stripNext ? close - 1 : close));
            if (sort != '#') {
                parts.add(new Part(sort == '{' ? Kind.OUTPUT : Kind.STATEMENT, content, line(source, open)));
            }
            from = close + 2;
            if (sort != '{' && source.startsWith("\n", from)) {
                from++;
            }
        }
    }

    private static boolean isLineStart(String source, int i) {
        return i == 0 || source.charAt(i - 1) == '\n';
    }

    private static int nextOpen(String source, int from) {
        for (int i = source.indexOf('{', from); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            if ("{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    /// Where the closing sign is, outside of strings and brackets.
    private static int close(String source, int from, String closing, boolean comment) {
        char quote = 0;
        int depth = 0;
        for (int i = from; i < source.length(); i++) {
            char c = source.charAt(i);
            if (quote != 0) {
                if (c == '\\') {
                    i++;
                } else if (c == quote) {
                    quote = 0;
                }
            } else if (!comment && (c == '"' || c == '\'')) {
                quote = c;
            } else if (!comment && "([{".indexOf(c) >= 0) {
                depth++;
            } else if (depth > 0 && ")]}".indexOf(c) >= 0) {
                depth--;
            } else if (source.startsWith(closing, i)) {
                return i;
            }
        }
        return -1;
    }

    private static void add(List<Part> parts, Kind kind, String text, String source, int from) {
        if (!text.isEmpty()) {
            parts.add(new Part(kind, text, line(source, from)));
        }
    }

    private static int line(String source, int to) {
        return 1 + (int) source.substring(0, to).chars().filter(c -> c == '\n').count();
    }

    static QuernException problem(int line, String what) {
        return QuernException.data("chat template, line %d: %s".formatted(line, what));
    }

    private QuernException unexpected(Part part) {
        return problem(part.line(), "{%" + part.content() + "%} is not supported here");
    }

    private Part peek() {
        return at < parts.size()
                ? parts.get(at)
                : new Part(
                        Kind.STATEMENT,
                        "",
                        parts.isEmpty() ? 1 : parts.getLast().line());
    }

    private String keyword() {
        Part part = peek();
        return part.kind() == Kind.STATEMENT ? part.content().strip().split("\\W", 2)[0] : "";
    }

    /// The nodes up to a statement with one of the keywords, which is left to the caller.
    private Node block(Set<String> ends) {
        List<Node> nodes = new ArrayList<>();
        while (at < parts.size() && !ends.contains(keyword())) {
            nodes.add(node());
        }
        if (!ends.isEmpty() && at == parts.size()) {
            throw problem(peek().line(), "expected one of " + ends + " before the end");
        }
        return (scope, out) -> nodes.forEach(node -> node.render(scope, out));
    }

    private Node node() {
        Part part = parts.get(at);
        return switch (part.kind()) {
            case TEXT -> {
                at++;
                yield (_, out) -> out.append(part.content());
            }
            case OUTPUT -> {
                at++;
                Expressions.Value value = Expressions.whole(part.content(), part.line());
                yield (scope, out) -> out.append(Values.text(value.in(scope)));
            }
            case STATEMENT ->
                switch (keyword()) {
                    case "for" -> loop(part);
                    case "if" -> branch(part, "if");
                    case "set" -> assignment(part);
                    case "generation" -> {
                        at++;
                        Node body = block(Set.of("endgeneration"));
                        at++;
                        yield body;
                    }
                    default -> throw unexpected(part);
                };
        };
    }

    private static Expressions rest(Part part, String keyword) {
        return new Expressions(part.content().strip().substring(keyword.length()), part.line());
    }

    private Node branch(Part part, String keyword) {
        Expressions.Value condition = rest(part, keyword).toEnd();
        at++;
        Node then = block(Set.of("elif", "else", "endif"));
        Node otherwise = (_, _) -> {};
        if (keyword().equals("elif")) {
            otherwise = branch(parts.get(at), "elif");
        } else {
            if (keyword().equals("else")) {
                at++;
                otherwise = block(Set.of("endif"));
            }
            at++;
        }
        Node other = otherwise;
        return (scope, out) -> (Values.isTrue(condition.in(scope)) ? then : other).render(scope, out);
    }

    private Node loop(Part part) {
        Expressions head = rest(part, "for");
        List<String> names = head.names();
        head.expect("in");
        Expressions.Value all = head.choiceFree();
        Expressions.Value filter = head.accept("if") ? head.toEnd() : _ -> true;
        head.end();
        at++;
        Node body = block(Set.of("else", "endfor"));
        Node none = (_, _) -> {};
        if (keyword().equals("else")) {
            at++;
            none = block(Set.of("endfor"));
        }
        at++;
        Node empty = none;
        return (scope, out) -> {
            List<Scope> rounds = new ArrayList<>();
            for (Object item : Values.elements(all.in(scope), part.line())) {
                Scope inner = scope.inner();
                if (names.size() == 1) {
                    inner.set(names.getFirst(), item);
                } else {
                    List<?> values = Values.elements(item, part.line());
                    for (int i = 0; i < names.size(); i++) {
                        inner.set(names.get(i), i < values.size() ? values.get(i) : Scope.UNDEFINED);
                    }
                }
                if (Values.isTrue(filter.in(inner))) {
                    rounds.add(inner);
                }
            }
            for (int i = 0; i < rounds.size(); i++) {
                long index = i;
                rounds.get(i)
                        .set(
                                "loop",
                                Map.<String, Object>of(
                                        "index0",
                                        index,
                                        "index",
                                        index + 1,
                                        "first",
                                        i == 0,
                                        "last",
                                        i == rounds.size() - 1,
                                        "length",
                                        (long) rounds.size()));
                body.render(rounds.get(i), out);
            }
            if (rounds.isEmpty()) {
                empty.render(scope, out);
            }
        };
    }

    /// `set name = value`, and `set name.field = value` of a `namespace`.
    private Node assignment(Part part) {
        Expressions head = rest(part, "set");
        String name = head.name();
        String field = head.accept(".") ? head.name() : null;
        head.expect("=");
        Expressions.Value value = head.toEnd();
        at++;
        if (field == null) {
            return (scope, _) -> scope.set(name, value.in(scope));
        }
        return (scope, _) -> {
            if (!(scope.get(name) instanceof Values.Namespace space)) {
                throw problem(part.line(), name + " is no namespace");
            }
            space.fields().put(field, value.in(scope));
        };
    }
}
