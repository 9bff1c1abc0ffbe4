package org.quern.corpus.run;

import java.nio.file.Path;
import org.quern.base.Json;
import org.quern.corpus.Page;

/// What a step of a run has seen of its pages, as far as it can be added up.
final class Findings {
    private final Shape kept = new Shape();
    private final Shape dropped = new Shape();
    private final Domains domains = new Domains();

    /// For JSON.
    record Stored(Shape.Summary kept, Shape.Summary dropped, Domains.Table domains) {}

    /// Of a file that holds all that was stored.
    static Findings read(Path file) {
        Stored stored = Json.MAPPER.treeToValue(Json.readObject(file), Stored.class);
        Findings findings = new Findings();
        findings.kept.addAll(Shape.of(stored.kept));
        findings.dropped.addAll(Shape.of(stored.dropped));
        findings.domains.addAll(Domains.of(stored.domains));
        return findings;
    }

    /// A page before the first stage.
    void addFetched(Page page) {
        domains.addPage(Domains.of(page.url()), StageCount.bytes(page));
    }

    void addDropped(Page page, String stage, String reason) {
        dropped.add(page);
        domains.addDropped(Domains.of(page.url()), stage + "." + reason);
    }

    /// A page that the step has left.
    void addKept(Page page) {
        kept.add(page);
    }

    /// A page of the corpus.
    void addOutput(Page page) {
        kept.add(page);
        domains.addKept(Domains.of(page.url()), StageCount.textBytes(page));
    }

    void addAll(Findings other) {
        kept.addAll(other.kept);
        dropped.addAll(other.dropped);
        domains.addAll(other.domains);
    }

    Stored stored(int mostDomains) {
        return new Stored(kept.summary(), dropped.summary(), domains.table(mostDomains));
    }
}
