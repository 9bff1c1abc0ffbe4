package org.quern.corpus.extract;

import java.util.HashMap;
import java.util.Map;

/// What an HTML element means to the layout of text.
enum Tag {
    /// Holds blocks: `div`, `section`, and every name not listed here.
    CONTAINER(
            "address body center dd details dialog dir div fieldset hgroup html legend optgroup search section slot summary"),
    ARTICLE("article"),
    MAIN("main"),
    PARAGRAPH("p"),
    HEADING("h1 h2 h3 h4 h5 h6"),
    LIST("ul ol menu"),
    DEFINITIONS("dl"),
    ITEM("li dt"),
    TABLE("table"),
    ROW("tr"),
    CELL("td th"),
    PREFORMATTED("pre listing plaintext xmp"),
    QUOTE("blockquote"),
    FIGURE("figure"),
    CAPTION("figcaption caption"),
    NAVIGATION("nav"),
    ASIDE("aside"),
    HEADER("header"),
    FOOTER("footer"),
    FORM("form"),
    LINK("a"),
    BREAK("br"),
    RULE("hr"),
    /// A part of a line that a page's author may also use as a container.
    SPAN("span label time small"),
    /// A part of a line.
    INLINE("abbr acronym b basefont bdi bdo big cite code data del dfn em font i ins kbd mark nobr output q rb rbc rtc"
            + " ruby s samp strike strong sub sup tt u var wbr"),
    /// Holds no text of the page.
    SKIPPED("applet area audio base button canvas col colgroup datalist embed frame frameset head iframe img input"
            + " link map math meta meter noembed noframes noscript object option param picture progress rp rt script"
            + " select source style svg template textarea title track video");

    private static final Map<String, Tag> BY_NAME = new HashMap<>();

    static {
        for (Tag tag : values()) {
            for (String name : tag.names.split(" ")) {
                BY_NAME.put(name, tag);
            }
        }
    }

    private final String names;

    Tag(String names) {
        this.names = names;
    }

    /// @param name in lower case
    static Tag of(String name) {
        return BY_NAME.getOrDefault(name, CONTAINER);
    }

    /// Whether it may stand amid a line of text.
    boolean inline() {
        return this == INLINE || this == LINK || this == SPAN;
    }
}
