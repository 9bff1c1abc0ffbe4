package org.quern.corpus.filter;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;

/// Drops pages by their URL alone, before anything is done with them. The evidence of a drop is the entry
/// that was found.
///
/// As in FineWeb, but that a listed domain stands for all its subdomains and that case never counts. A page
/// without a URL is kept.
public final class UrlFilter implements Stage {
    private final UrlLists lists;
    private final Set<String> words;
    private final Set<String> softWords;
    private final int softWordLimit;
    private final PartFinder parts;

    /// @param softWordLimit how many different soft words drop a page (FineWeb: 2)
    public UrlFilter(UrlLists lists, int softWordLimit) {
        this.lists = lists;
        words = lettersAndDigits(lists.words());
        softWords = lettersAndDigits(lists.softWords());
        this.softWordLimit = softWordLimit;
        parts = new PartFinder(lists.parts());
    }

    private static Set<String> lettersAndDigits(List<String> entries) {
        Set<String> set = new HashSet<>();
        entries.forEach(entry -> set.add(entry.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "")));
        return set;
    }

    @Override
    public String name() {
        return "url";
    }

    @Override
    public Verdict apply(Page page) {
        String address = address(page.url().toLowerCase(Locale.ROOT));
        int hostEnd = hostEnd(address);
        for (int start = 0; start < hostEnd; start = address.indexOf('.', start) + 1) {
            if (lists.domains().contains(address, start, hostEnd)) {
                return new Verdict.Dropped("domain", 1, address.substring(start, hostEnd));
            }
            if (address.indexOf('.', start) < 0 || address.indexOf('.', start) >= hostEnd) {
                break;
            }
        }
        if (lists.urls().contains(address, 0, address.length())) {
            return new Verdict.Dropped("url", 1, address);
        }
        Set<String> soft = new HashSet<>();
        for (int start = 0; start < address.length(); ) {
            int end = start;
            while (end < address.length() && isLetterOrDigit(address.charAt(end))) {
                end++;
            }
            String word = address.substring(start, end);
            if (words.contains(word)) {
                return new Verdict.Dropped("banned_word", 1, word);
            }
            if (softWords.contains(word)) {
                soft.add(word);
            }
            start = end + 1;
        }
        if (!soft.isEmpty() && soft.size() >= softWordLimit) {
            return new Verdict.Dropped(
                    "soft_words",
                    soft.size(),
                    String.join(" ", soft.stream().sorted().toList()));
        }
        String part = parts.find(page.url());
        return part.isEmpty() ? new Verdict.Kept(page) : new Verdict.Dropped("banned_part", 1, part);
    }

    /// A URL in lower case without its scheme, and without a slash at its end.
    static String address(String url) {
        int scheme = url.indexOf("://");
        String address = scheme < 0 ? url : url.substring(scheme + 3);
        return address.endsWith("/") ? address.substring(0, address.length() - 1) : address;
    }

    /// Where the host ends: before a port, a path or a query.
    private static int hostEnd(String address) {
        int end = 0;
        while (end < address.length() && ":/?#".indexOf(address.charAt(end)) < 0) {
            end++;
        }
        return end;
    }

    private static boolean isLetterOrDigit(char c) {
        return c >= 'a' && c <= 'z' || c >= '0' && c <= '9';
    }
}
