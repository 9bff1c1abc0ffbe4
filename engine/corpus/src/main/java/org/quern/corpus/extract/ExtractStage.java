package org.quern.corpus.extract;

import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Writes a page's text, and what the page says of its use. A page that an archive holds as text passes as it is.
///
/// The reason of a drop is `no_text`; the value is the size of the HTML in bytes.
public final class ExtractStage implements Stage {
    private final TextExtractor extractor = new TextExtractor();

    @Override
    public String name() {
        return "extract";
    }

    @Override
    public Verdict apply(Page page) {
        if (page.html().length == 0 && !page.text().isEmpty()) {
            return new Verdict.Kept(page);
        }
        ExtractedText extracted = extractor.extract(page.html(), page.contentType());
        if (extracted.text().isEmpty()) {
            return new Verdict.Dropped("no_text", page.html().length, extracted.title());
        }
        return new Verdict.Kept(page.withText(extracted.text()).withRights(extracted.robots(), extracted.license()));
    }
}
