package org.quern.corpus.extract;

import java.nio.charset.Charset;
import org.jsoup.nodes.Document;
import org.jsoup.parser.Parser;

/// The text of an HTML page without what stands around it: navigation, advertisements, comments, links to
/// other pages.
///
/// The page becomes a list of blocks of text and a tree of elements over them ([Layout]). Elements whose names
/// or tags tell that they hold something else go first ([ForeignElements]); the element with the text is found
/// by where the prose is ([TextElement], in the manner of Arc90's Readability), and cleaned of [Strays] by
/// length, links and neighbours of each block (in the manner of jusText). Where that leaves next to nothing,
/// the names are not believed, and then the article as stated in JSON-LD is taken (as Trafilatura does).
///
/// A pure function of the page: no state between pages, safe for use by many threads. Work is bounded by the
/// limits in characters and nodes, and grows linearly with them.
public final class TextExtractor {
    /// Less text than this is looked for again by other means.
    private static final int LITTLE = 250;

    private static final int MOST_CHARACTERS = 8 << 20;
    private static final int MOST_NODES = 1 << 20;

    private final int mostCharacters;
    private final int mostNodes;

    public TextExtractor() {
        this(MOST_CHARACTERS, MOST_NODES);
    }

    /// @param mostCharacters of HTML that are parsed of a page
    /// @param mostNodes of its tree that are read
    public TextExtractor(int mostCharacters, int mostNodes) {
        this.mostCharacters = mostCharacters;
        this.mostNodes = mostNodes;
    }

    /// @param html the page's bytes, any bytes
    /// @param contentType as the server said (`text/html; charset=koi8-r`), or empty
    public ExtractedText extract(byte[] html, String contentType) {
        Charset charset = PageCharset.of(html, contentType);
        String source = PageCharset.decode(html, charset, mostCharacters + 1);
        boolean cut = source.length() > mostCharacters;
        Document page = Parser.htmlParser().parseInput(cut ? source.substring(0, mostCharacters) : source, "");
        Layout layout = LayoutReader.read(page, mostNodes);
        PageFacts facts = layout.facts;
        return new ExtractedText(
                line(facts.title()),
                text(layout),
                facts.language.isEmpty() ? "" : line(facts.language),
                line(facts.robots),
                facts.license,
                charset,
                cut || layout.truncated);
    }

    private static String text(Layout layout) {
        Judgement judgement = judge(layout, Hints.FOREIGN);
        if (judgement.length() < LITTLE) {
            Judgement trusting = judge(layout, 0);
            judgement = trusting.length() > 2 * judgement.length() ? trusting : judgement;
        }
        String stated = layout.facts.articleBody;
        return stated.length() >= LITTLE && judgement.length() < LITTLE ? stated : TextWriter.write(judgement);
    }

    /// @param hints whose names are believed
    static Judgement judge(Layout layout, int hints) {
        Judgement judgement = new Judgement(layout);
        new ForeignElements(judgement).drop(hints);
        TextElement finder = new TextElement(judgement);
        int element = finder.find();
        finder.dropOutside(element);
        Strays.drop(judgement, element);
        return judgement;
    }

    private static String line(String text) {
        return text.strip().replaceAll("\\s+", " ");
    }
}
