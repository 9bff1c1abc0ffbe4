package org.quern.corpus.extract;

/// What a block of a page is held to be.
enum Part {
    /// The page's own text.
    TEXT,
    /// Within an element that its name or tag tells to be something else.
    FOREIGN,
    /// Outside of the element that holds the text.
    OUTSIDE,
    /// Among links, or a link itself.
    LINKS,
    /// Under a picture.
    CAPTION,
    /// Between title and text, as the author's name and the date, or short lines after the text.
    MARGIN,
    /// A line that leads away, as "Read also", or what stands under such a heading.
    POINTER,
    /// Said before.
    REPEATED,
    /// In a row of headings that are links to other pages, each with a few lines.
    TEASER
}
