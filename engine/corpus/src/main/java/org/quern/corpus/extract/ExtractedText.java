package org.quern.corpus.extract;

import java.nio.charset.Charset;

/// What [TextExtractor] makes of a page. Strings are empty where the page says nothing.
///
/// @param title in one line; not repeated in `text`
/// @param text the page's own text, with `\n` between paragraphs, headings, items and rows of tables
/// @param language as the page declares it (`de-CH`), true or not
/// @param robots what the page asks of robots (`noindex, nofollow`)
/// @param license the URL of the licence that the page links to as its own
/// @param charset that the bytes were decoded with
/// @param truncated whether the page was larger than the limits, and the rest of it not read
public record ExtractedText(
        String title,
        String text,
        String language,
        String robots,
        String license,
        Charset charset,
        boolean truncated) {}
