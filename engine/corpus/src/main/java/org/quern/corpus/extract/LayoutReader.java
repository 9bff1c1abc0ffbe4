package org.quern.corpus.extract;

import java.util.ArrayDeque;
import java.util.Locale;
import org.jsoup.nodes.Attributes;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;

/// Reads a [Layout] from a parsed page in one walk without recursion.
final class LayoutReader {
    private final Layout layout = new Layout();
    private final int nodeLimit;

    /// One open element of the walk.
    ///
    /// @param index in the layout, or -1 for one that only marks text within a line
    /// @param outer the state around it
    private record Open(int index, Tag tag, State outer) {}

    /// What the text within an element is.
    private record State(int element, Tag kind, int level, int row, int cell, boolean linked, boolean preformatted) {}

    private final ArrayDeque<Open> open = new ArrayDeque<>();
    private State state = new State(0, Tag.CONTAINER, 0, -1, -1, false, false);

    private int blockStart;
    private int linkedCharacters;
    private int words;
    private int sentences;
    private boolean inWord;
    private int ideographs;
    private boolean spacePending;
    private boolean breakPending;
    private boolean itemPending;
    private char last;

    private LayoutReader(int nodeLimit) {
        this.nodeLimit = nodeLimit;
    }

    /// @param nodeLimit how many nodes are read at most; what follows is left out
    static Layout read(Document page, int nodeLimit) {
        LayoutReader reader = new LayoutReader(nodeLimit);
        PageFacts facts = reader.layout.facts;
        facts.language = (page.body().parent() instanceof Element root ? root : page).attr("lang");
        for (Node node : page.head().childNodes()) {
            if (node instanceof Element element) {
                facts.read(element);
            }
        }
        reader.walk(page.body());
        return reader.layout;
    }

    private void walk(Element body) {
        layout.addElement(-1, Tag.CONTAINER, 0);
        Node node = body.childNodeSize() > 0 ? body.childNode(0) : null;
        int nodes = 0;
        int depth = 1;
        while (node != null && nodes++ < nodeLimit) {
            if (node instanceof TextNode textNode) {
                append(textNode.getWholeText());
            } else if (node instanceof Element element && enter(element)) {
                if (element.childNodeSize() > 0) {
                    node = element.childNode(0);
                    depth++;
                    continue;
                }
                leave();
            }
            Node next = node.nextSibling();
            while (next == null && depth > 1) {
                node = node.parentNode();
                depth--;
                leave();
                next = node.nextSibling();
            }
            node = next;
        }
        layout.truncated = node != null;
        while (!open.isEmpty()) {
            leave();
        }
        flush();
        layout.closeElement(0);
    }

    /// Whether the walk descends.
    private boolean enter(Element element) {
        Tag tag = Tag.of(element.normalName());
        if (tag == Tag.SKIPPED) {
            layout.facts.read(element);
            return false;
        }
        if (tag == Tag.BREAK) {
            lineBreak();
            return false;
        }
        int hints = state.preformatted ? 0 : hints(element, tag); // there names are those of a program's parts
        if (tag == Tag.ARTICLE || tag == Tag.MAIN) {
            hints &= ~(Hints.FOREIGN & ~(Hints.RELATED | Hints.COMMENTS | Hints.HIDDEN));
        }
        if (tag.inline() && (hints & Hints.HIDDEN) != 0) {
            return false;
        }
        boolean block = !tag.inline() || tag == Tag.SPAN && (hints & Hints.FOREIGN) != 0;
        if (!block) {
            open.push(new Open(-1, tag, state));
            if (tag == Tag.LINK && element.attributesSize() > 1) {
                layout.facts.read(element);
            }
            if (tag == Tag.LINK && !state.linked && !mark(element)) {
                state = new State(
                        state.element, state.kind, state.level, state.row, state.cell, true, state.preformatted);
            }
            return true;
        }
        flush();
        int index = layout.addElement(state.element, tag, hints);
        open.push(new Open(index, tag, state));
        Tag kind = switch (tag) {
            case PARAGRAPH, HEADING, ITEM, CELL, PREFORMATTED, QUOTE, CAPTION -> tag;
            case CONTAINER, SPAN -> state.kind == Tag.PARAGRAPH ? Tag.CONTAINER : state.kind;
            default -> Tag.CONTAINER;
        };
        boolean kept =
                (state.kind == Tag.HEADING || state.kind == Tag.CAPTION || state.preformatted) && kind != Tag.HEADING;
        int level = tag == Tag.HEADING ? element.normalName().charAt(1) - '0' : kept ? state.level : 0;
        state = new State(
                index,
                kept ? state.kind : kind,
                level,
                tag == Tag.ROW ? index : tag == Tag.TABLE ? -1 : state.row,
                tag == Tag.CELL ? index : tag == Tag.TABLE ? -1 : state.cell,
                state.linked,
                tag == Tag.PREFORMATTED || state.preformatted);
        if (tag == Tag.ITEM) {
            itemPending = true;
        }
        return true;
    }

    /// Whether the link is a heading's own mark.
    private boolean mark(Element link) {
        return state.kind == Tag.HEADING && link.attributes().get("href").startsWith("#");
    }

    private void leave() {
        Open closed = open.pop();
        if (closed.index >= 0) {
            flush();
            layout.closeElement(closed.index);
            if (closed.tag == Tag.ITEM) {
                itemPending = false;
            }
        }
        state = closed.outer;
    }

    private static int hints(Element element, Tag tag) {
        if (element.attributesSize() == 0) {
            return 0;
        }
        Attributes attributes = element.attributes();
        int hints = Hints.of(attributes.get("class")) | Hints.of(attributes.get("role"));
        if (tag != Tag.HEADING) { // whose id repeats its words
            hints |= Hints.of(attributes.get("id"));
        }
        String property = attributes.get("itemprop");
        if (!property.isEmpty()) {
            hints |= Hints.of(property);
        }
        if (attributes.hasKey("hidden") || attributes.get("aria-hidden").equals("true")) {
            hints |= Hints.HIDDEN;
        }
        String style = attributes.get("style");
        if (!style.isEmpty() && style.length() < 1000) {
            String plain = style.toLowerCase(Locale.ROOT).replace(" ", "");
            if (plain.contains("display:none") || plain.contains("visibility:hidden")) {
                hints |= Hints.HIDDEN;
            }
        }
        return hints;
    }

    private void lineBreak() {
        if (breakPending) {
            flush();
        } else if (layout.text.length() > blockStart) {
            breakPending = true;
        }
    }

    private void append(String part) {
        StringBuilder text = layout.text;
        int before = text.length();
        for (int i = 0; i < part.length(); i++) {
            char c = part.charAt(i);
            if (c <= ' ' || c == '\u00a0' || c >= '\u2000' && space(c)) {
                if (state.preformatted && c == '\n') {
                    endWord();
                    text.append('\n');
                    spacePending = false;
                } else if (state.preformatted && (c == ' ' || c == '\t')) {
                    endWord();
                    text.append(c);
                } else if (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c >= '\u00a0') {
                    spacePending = true;
                }
                continue;
            }
            if (c >= '\u007f' && invisible(c)) {
                continue;
            }
            if (spacePending || breakPending) {
                endWord();
                if (text.length() > blockStart) {
                    text.append(breakPending ? '\n' : ' ');
                }
                spacePending = false;
                breakPending = false;
            }
            text.append(c);
            last = c;
            if (c < 128 ? c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' : letter(c)) {
                if (!inWord) {
                    inWord = true;
                    words++;
                }
            } else if (c != '\'' && c != '\u2019' && c != '-') {
                inWord = false;
            }
        }
        if (state.linked) {
            linkedCharacters += text.length() - before;
        }
    }

    /// Whether `c` is part of a word; writing without spaces counts two characters as a word.
    private boolean letter(char c) {
        if (c >= '\u0e00' && c <= '\u0eff'
                || c >= '\u1000' && c <= '\u109f'
                || c >= '\u1780' && c <= '\u17ff'
                || c >= '\u3040' && c <= '\u9fff'
                || c >= '\uf900' && c <= '\ufaff') {
            if (c == '\u30fb' || !Character.isLetterOrDigit(c)) {
                return false;
            }
            inWord = (++ideographs & 1) == 0;
            return true;
        }
        if (c == '\u3002' || c == '\uff01' || c == '\uff1f') {
            sentences++;
        }
        return Character.isLetterOrDigit(c) || Character.isSurrogate(c);
    }

    private static boolean space(char c) {
        return c <= '\u200a' || c == '\u2028' || c == '\u2029' || c == '\u202f' || c == '\u205f' || c == '\u3000';
    }

    /// Controls, soft hyphens, marks of byte order and of zero width that no script needs.
    private static boolean invisible(char c) {
        return c <= '\u009f'
                || c == '\u00ad'
                || c == '\u200b'
                || c == '\u2060'
                || c == '\ufeff'
                || c == '\ufffe'
                || c == '\uffff';
    }

    /// White space came, or the end of the block.
    private void endWord() {
        inWord = false;
        switch (last) {
            case '.', '!', '?', '\u2026', '\u0964', '\u061f', '\u06d4', '\u1362' -> sentences++;
            case '"', '\'', ')', '\u201d', '\u2019', '\u00bb', '\u201c' -> {
                int length = layout.text.length();
                if (length - 2 >= blockStart) {
                    char c = layout.text.charAt(length - 2);
                    sentences += c == '.' || c == '!' || c == '?' || c == '\u2026' ? 1 : 0;
                }
            }
            default -> {}
        }
        last = 0;
    }

    private void flush() {
        StringBuilder text = layout.text;
        endWord();
        int end = text.length();
        while (end > blockStart && text.charAt(end - 1) <= ' ') {
            end--;
        }
        text.setLength(end);
        int start = blockStart;
        while (start < end && text.charAt(start) == '\n') {
            start++;
        }
        if (start < end) {
            int block = layout.addBlock(start, state.element);
            layout.linked[block] = Math.min(linkedCharacters, end - start);
            layout.words[block] = words;
            layout.sentences[block] = sentences;
            layout.kinds[block] = state.kind;
            layout.levels[block] = (byte) state.level;
            layout.rows[block] = state.row;
            layout.cells[block] = state.cell;
            layout.bullets[block] = itemPending;
            itemPending = false;
            if (state.level == 1) {
                layout.facts.readHeading(text.substring(start, end));
            }
        }
        blockStart = text.length();
        linkedCharacters = 0;
        words = 0;
        sentences = 0;
        spacePending = false;
        breakPending = false;
    }
}
