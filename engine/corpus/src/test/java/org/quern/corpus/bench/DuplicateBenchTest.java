package org.quern.corpus.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;

final class DuplicateBenchTest {
    @TempDir
    private Path folder;

    @Test
    void findsWhatTheoryExpects() {
        Random random = new Random(3);
        StringBuilder text = new StringBuilder();
        while (text.length() < 600_000) {
            text.append(Integer.toString(random.nextInt(10_000), 26).replaceAll("\\d", "z"))
                    .append(random.nextInt(12) == 0 ? ".\n" : " ");
        }

        List<DuplicateBench.Found> rows = DuplicateBench.measure(text.toString(), folder);

        assertThat(rows).extracting(DuplicateBench.Found::editRate).isEqualTo(DuplicateBench.EDIT_RATES);
        assertThat(rows.getFirst().recall()).isOne();
        assertThat(rows.getFirst().similarity()).isOne();
        assertThat(rows.getLast().recall()).isLessThan(0.5);
        for (DuplicateBench.Found row : rows) {
            assertThat(row.documents()).isGreaterThan(200);
            // Five standard deviations of as many throws of a coin.
            assertThat(row.recall()).isCloseTo(row.theory(), within(2.5 / Math.sqrt(row.documents())));
            assertThat(row.precision()).isEqualTo(row.recall() == 0 ? Double.valueOf(Double.NaN) : Double.valueOf(1));
        }
    }

    @Test
    void needsTwoDocuments() {
        assertThatThrownBy(() -> DuplicateBench.measure("one two three four five six", folder))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("the text has 1");
    }
}
