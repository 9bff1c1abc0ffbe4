package org.quern.corpus.run;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/// What became of the pages of each domain, in bounded memory: of very many domains those with few pages are
/// forgotten now and then, and how many pages one may lack through that is known. A function of the order in which
/// pages and tables are added, which a run always does in the order of its inputs.
final class Domains {
    static final int CAPACITY = 1 << 15;

    private static final Comparator<Domain> LARGEST_FIRST =
            Comparator.comparingLong(Domain::weight).reversed().thenComparing(Domain::domain);

    private final int capacity;
    private final Map<String, Domain> rows = new HashMap<>();
    private long missed;

    /// The host that pages are of.
    ///
    /// @param domain empty for pages without an address
    /// @param pages that went into the first stage
    /// @param bytes of those, as they were fetched
    /// @param kept pages in the corpus
    /// @param keptBytes of their texts
    /// @param dropped pages by `stage.reason`
    record Domain(String domain, long pages, long bytes, long kept, long keptBytes, SortedMap<String, Long> dropped) {
        private Domain plus(Domain other) {
            SortedMap<String, Long> sum = new TreeMap<>(dropped);
            other.dropped.forEach((reason, count) -> sum.merge(reason, count, Long::sum));
            return new Domain(
                    domain,
                    pages + other.pages,
                    bytes + other.bytes,
                    kept + other.kept,
                    keptBytes + other.keptBytes,
                    sum);
        }

        /// Pages known of, at least: the last steps of a run see only what the first ones left.
        private long weight() {
            return Math.max(
                    pages,
                    kept + dropped.values().stream().mapToLong(Long::longValue).sum());
        }
    }

    /// For JSON.
    ///
    /// @param count of different domains that are known
    /// @param missed pages that a domain may have in truth besides those counted; 0 if the counts are exact
    /// @param largest those with the most pages, falling
    record Table(long count, long missed, List<Domain> largest) {}

    Domains() {
        this(CAPACITY);
    }

    /// @param capacity domains that are never forgotten; twice as many are held
    Domains(int capacity) {
        this.capacity = capacity;
    }

    static Domains of(Table table) {
        Domains domains = new Domains();
        table.largest.forEach(domains::add);
        domains.missed = table.missed;
        return domains;
    }

    void addPage(String domain, long bytes) {
        add(new Domain(domain, 1, bytes, 0, 0, new TreeMap<>()));
    }

    void addKept(String domain, long bytes) {
        add(new Domain(domain, 0, 0, 1, bytes, new TreeMap<>()));
    }

    void addDropped(String domain, String stageAndReason) {
        add(new Domain(domain, 0, 0, 0, 0, new TreeMap<>(Map.of(stageAndReason, 1L))));
    }

    void addAll(Domains other) {
        other.rows.values().stream().sorted(LARGEST_FIRST).forEach(this::add);
        missed += other.missed;
    }

    private void add(Domain row) {
        rows.merge(row.domain, row, Domain::plus);
        if (rows.size() > 2 * capacity) {
            List<Domain> small =
                    rows.values().stream().sorted(LARGEST_FIRST).skip(capacity).toList();
            small.forEach(each -> rows.remove(each.domain));
            missed += small.getFirst().weight();
        }
    }

    /// @param most rows
    Table table(int most) {
        return new Table(
                rows.size(),
                missed,
                rows.values().stream().sorted(LARGEST_FIRST).limit(most).toList());
    }

    /// The host of a page, in lower case; empty if its address has none.
    static String of(String url) {
        try {
            String host = new URI(url).getHost();
            return host == null ? "" : host.toLowerCase(Locale.ROOT);
        } catch (URISyntaxException e) {
            return "";
        }
    }
}
