package org.quern.corpus.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.quern.base.Json;

final class DomainsTest {
    @Test
    void countsWhatBecomesOfPages() {
        Domains domains = new Domains();
        domains.addPage("a.example", 100);
        domains.addPage("a.example", 50);
        domains.addPage("b.example", 7);
        domains.addDropped("a.example", "extract.no_text");
        domains.addKept("a.example", 30);
        Domains.Table table = domains.table(1);
        assertThat(table.count()).isEqualTo(2);
        assertThat(table.missed()).isZero();
        assertThat(Json.MAPPER.writeValueAsString(table.largest().getFirst()))
                .isEqualTo("{\"domain\":\"a.example\",\"pages\":2,\"bytes\":150,\"kept\":1,\"keptBytes\":30,"
                        + "\"dropped\":{\"extract.no_text\":1}}");
    }

    /// However many there are, few are held; those with many pages are among them, and lack as many as is told
    /// at most.
    @Test
    void knowsTheLargestOfVeryMany() {
        Random random = new Random(1);
        Map<String, Long> truth = new HashMap<>();
        Domains all = new Domains(50);
        for (int part = 0; part < 20; part++) {
            Domains some = new Domains(50);
            for (int i = 0; i < 2000; i++) {
                String domain =
                        i % 4 == 0 ? "large-" + random.nextInt(5) + ".example" : random.nextInt(100_000) + ".example";
                truth.merge(domain, 1L, Long::sum);
                some.addPage(domain, 1);
            }
            all.addAll(some);
        }
        Domains.Table table = all.table(5);
        assertThat(all.table(Integer.MAX_VALUE).largest()).hasSizeLessThanOrEqualTo(100);
        assertThat(table.missed()).isPositive();
        assertThat(table.largest()).allSatisfy(domain -> {
            assertThat(domain.domain()).startsWith("large-");
            assertThat(domain.pages())
                    .isBetween(truth.get(domain.domain()) - table.missed(), truth.get(domain.domain()));
        });
    }

    @Test
    void readsHostsOfAnyAddress() {
        assertThat(Domains.of("https://WWW.Example.org:8080/a?b#c")).isEqualTo("www.example.org");
        assertThat(Domains.of("no address")).isEmpty();
        assertThat(Domains.of("mailto:a@b.example")).isEmpty();
        assertThat(Domains.of("")).isEmpty();
    }
}
