package org.quern.corpus.run;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.quern.corpus.Page;

/// What a corpus looks like: its pages by language, by length and by domain.
final class Shape {
    private static final int DOMAINS = 1000;

    private long pages;
    private long textBytes;
    private final SortedMap<String, Long> languages = new TreeMap<>();
    private final SortedMap<Long, Long> lengths = new TreeMap<>();
    private final SortedMap<String, Long> domains = new TreeMap<>();

    /// For JSON.
    ///
    /// @param lengths pages by the bytes of their text: from a power of two up to the next
    /// @param domains the thousand with the most pages, by name
    record Summary(
            long pages,
            long textBytes,
            Map<String, Long> languages,
            Map<Long, Long> lengths,
            Map<String, Long> domains) {}

    void add(Page page) {
        long bytes = StageCount.bytes(page);
        pages++;
        textBytes += bytes;
        languages.merge(page.language(), 1L, Long::sum);
        lengths.merge(Long.highestOneBit(bytes), 1L, Long::sum);
        domains.merge(domain(page.url()), 1L, Long::sum);
    }

    void addAll(Shape other) {
        pages += other.pages;
        textBytes += other.textBytes;
        other.languages.forEach((language, count) -> languages.merge(language, count, Long::sum));
        other.lengths.forEach((length, count) -> lengths.merge(length, count, Long::sum));
        other.domains.forEach((domain, count) -> domains.merge(domain, count, Long::sum));
    }

    private static String domain(String url) {
        try {
            String host = new URI(url).getHost();
            return host == null ? "" : host.toLowerCase(Locale.ROOT);
        } catch (URISyntaxException e) {
            return "";
        }
    }

    Summary summary() {
        Map<String, Long> most = new LinkedHashMap<>();
        domains.entrySet().stream()
                .sorted(Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                        .thenComparing(Map.Entry.comparingByKey()))
                .limit(DOMAINS)
                .forEach(entry -> most.put(entry.getKey(), entry.getValue()));
        return new Summary(pages, textBytes, languages, lengths, most);
    }
}
