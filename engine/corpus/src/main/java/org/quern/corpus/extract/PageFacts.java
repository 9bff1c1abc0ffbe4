package org.quern.corpus.extract;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jsoup.nodes.Element;
import org.jsoup.parser.Parser;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// What a page says of itself; empty where it says nothing.
final class PageFacts {
    private static final JsonFactory JSON = new JsonFactory();
    /// In characters; a shorter one may be part of a heading by chance.
    private static final int SHORTEST_TITLE = 10;

    String language = "";
    String robots = "";
    String license = "";
    /// The longest `articleBody` of its JSON-LD: the article as stated for search engines, in one line or a few.
    String articleBody = "";

    private String title = "";
    private String sharedTitle = "";
    private final List<String> headings = new ArrayList<>();

    /// Takes what a `title`, `meta`, `link`, `a` or `script` says.
    void read(Element element) {
        switch (element.normalName()) {
            case "title" -> title = title.isEmpty() ? element.text() : title;
            case "meta" -> readMeta(element);
            case "link", "a" -> {
                if (license.isEmpty()
                        && element.attr("rel").toLowerCase(Locale.ROOT).contains("license")) {
                    String target = element.attr("href").strip();
                    license = target.startsWith("//") ? "https:" + target : target.startsWith("http") ? target : "";
                }
            }
            case "script" -> {
                if (element.attr("type").equalsIgnoreCase("application/ld+json")) {
                    readStatement(element.data());
                }
            }
            default -> {}
        }
    }

    private void readMeta(Element meta) {
        String content = meta.attr("content").strip();
        String name = meta.attr("name") + meta.attr("property") + meta.attr("http-equiv");
        switch (name.toLowerCase(Locale.ROOT)) {
            case "og:title" -> sharedTitle = sharedTitle.isEmpty() ? content : sharedTitle;
            case "content-language" -> language = language.isEmpty() ? content : language;
            case "og:locale" -> language = language.isEmpty() ? content.replace('_', '-') : language;
            case "robots" -> robots = robots.isEmpty() ? content : robots + ", " + content;
            default -> {}
        }
    }

    private void readStatement(String json) {
        if (!json.contains("\"articleBody\"")) {
            return;
        }
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                if (token == JsonToken.VALUE_STRING && "articleBody".equals(parser.currentName())) {
                    String body =
                            Parser.unescapeEntities(parser.getString(), false).strip();
                    articleBody = body.length() > articleBody.length() ? body : articleBody;
                }
            }
        } catch (JacksonException e) {
            // broken JSON says nothing more; what came before the break counts
        }
    }

    /// The text of a heading of the first level; a page has one, or the site's name is another.
    void readHeading(String text) {
        if (headings.size() < 4) {
            headings.add(text);
        }
    }

    /// Whether a heading says what the page is called, with more before or behind it or without.
    boolean calledSo(String heading) {
        return title.contains(heading)
                || sharedTitle.contains(heading)
                || sharedTitle.length() > SHORTEST_TITLE && heading.contains(sharedTitle);
    }

    /// A heading that the title begins with (the rest of it is the site's name), else what the page wants to be
    /// called where it is shared, else its title, else its first heading.
    String title() {
        for (String heading : headings) {
            if (title.startsWith(heading)) {
                return heading;
            }
        }
        return !sharedTitle.isEmpty()
                ? sharedTitle
                : !title.isEmpty() || headings.isEmpty() ? title : headings.getFirst();
    }
}
