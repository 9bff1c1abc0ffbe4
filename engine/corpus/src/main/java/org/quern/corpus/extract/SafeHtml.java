package org.quern.corpus.extract;

import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.safety.Cleaner;
import org.jsoup.safety.Safelist;

/// What is left of a stranger's page when it is to be looked at: headings, paragraphs, lists and tables.
/// Nothing runs, nothing is loaded, no link leads away.
public final class SafeHtml {
    private static final Safelist STRUCTURE = Safelist.relaxed()
            .removeTags("img")
            .removeAttributes("a", "href", "title")
            .removeAttributes("blockquote", "cite")
            .removeAttributes("q", "cite")
            .addTags("article", "aside", "figcaption", "figure", "footer", "header", "hr", "main", "nav", "section");
    private static final String STYLE = "body{font:15px/1.5 Georgia,serif;margin:1rem;overflow-wrap:anywhere;"
            + "color-scheme:light dark;color:CanvasText;background:Canvas}a{text-decoration:underline}"
            + "table{border-collapse:collapse}td,th{border:1px solid #8886;padding:.15rem .4rem}pre{overflow:auto}";

    private SafeHtml() {}

    /// A whole page of its own.
    ///
    /// @param html any text
    public static String of(String html) {
        Document clean = new Cleaner(STRUCTURE).clean(Jsoup.parse(html));
        clean.outputSettings().prettyPrint(false);
        return "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><style>" + STYLE + "</style></head><body>"
                + clean.body().html() + "</body></html>";
    }
}
