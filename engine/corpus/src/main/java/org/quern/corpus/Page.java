package org.quern.corpus;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/// A page on its way from an archive to a corpus. Stages make changed copies of it.
///
/// @param origin where it comes from
/// @param url as the archive states it; empty if it states none
/// @param date when it was fetched, as ISO 8601 in UTC (`2026-11-23T10:15:30Z`); empty if unknown
/// @param contentType of `html`, as its server said (`text/html; charset=koi8-r`); empty if unknown
/// @param html the bytes fetched, decoded from their transfer and content encodings; empty if the archive holds text
/// @param text what a model may read; empty until it is extracted, with `\n` between lines
/// @param language ISO 639-1, or 639-3 for want of one; empty until identified
/// @param languageScore how sure that is, in [0, 1]
/// @param robots what the page asks of robots (`X-Robots-Tag`, `<meta name=robots>`); empty if nothing
/// @param license the page's own licence, a URL as a rule; empty if it states none
/// @param scores measures of the page by name (`quality`), kept in the output
public record Page(
        Origin origin,
        String url,
        String date,
        String contentType,
        byte[] html,
        String text,
        String language,
        double languageScore,
        String robots,
        String license,
        SortedMap<String, Double> scores) {
    private static final byte[] NO_BYTES = {};

    /// Where a page is in an archive.
    ///
    /// @param archive the file's name as its input pattern names it, the same on any machine
    /// @param position of its record: the offset of its first byte (of its gzip or zstd member in compressed
    ///     WARC), or the row in Parquet and the line in JSONL, from 0
    /// @param index of the record in its member, from 0; 0 but for members that hold several
    /// @param recordId `WARC-Record-ID`, or the `id` of a row; empty if none
    /// @param payloadDigest `WARC-Payload-Digest`; empty if none
    public record Origin(String archive, long position, int index, String recordId, String payloadDigest) {}

    public Page {
        scores = Collections.unmodifiableSortedMap(new TreeMap<>(scores));
    }

    /// A page whose text is still in its HTML.
    public static Page ofHtml(Origin origin, String url, String date, String contentType, byte[] html) {
        return new Page(origin, url, date, contentType, html, "", "", 0, "", "", new TreeMap<>());
    }

    /// A page that an archive holds as text.
    public static Page ofText(Origin origin, String url, String date, String text) {
        return new Page(origin, url, date, "", NO_BYTES, text, "", 0, "", "", new TreeMap<>());
    }

    /// Unique in a corpus, and the same however its inputs are divided among tasks.
    public String id() {
        String id = origin.archive() + ":" + origin.position();
        return origin.index() == 0 ? id : id + "." + origin.index();
    }

    public Page withText(String text) {
        return new Page(origin, url, date, contentType, html, text, language, languageScore, robots, license, scores);
    }

    public Page withLanguage(String language, double score) {
        return new Page(origin, url, date, contentType, html, text, language, score, robots, license, scores);
    }

    /// What the page says of its use; empty leaves what is known.
    public Page withRights(String robots, String license) {
        return new Page(
                origin,
                url,
                date,
                contentType,
                html,
                text,
                language,
                languageScore,
                robots.isEmpty() ? this.robots : robots,
                license.isEmpty() ? this.license : license,
                scores);
    }

    public Page withScore(String name, double score) {
        SortedMap<String, Double> scores = new TreeMap<>(this.scores);
        scores.put(name, score);
        return new Page(origin, url, date, contentType, html, text, language, languageScore, robots, license, scores);
    }

    /// The page without its HTML, which no stage after extraction needs.
    public Page withoutHtml() {
        return new Page(
                origin, url, date, contentType, NO_BYTES, text, language, languageScore, robots, license, scores);
    }

    @Override
    public String toString() {
        return "Page[%s %s, %d bytes, %d characters]".formatted(id(), url, html.length, text.length());
    }
}
