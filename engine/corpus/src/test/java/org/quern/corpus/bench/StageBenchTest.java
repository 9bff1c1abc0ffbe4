package org.quern.corpus.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.quern.base.QuernException;

class StageBenchTest {
    @Test
    void measuresEveryStage() {
        List<StageBench.Speed> speeds = StageBench.measure(
                "A line of the text that is measured.\n".repeat(300), Optional.empty(), Optional.empty(), 1);

        assertThat(speeds)
                .extracting(StageBench.Speed::stage)
                .contains("url", "c4_quality", "minhash")
                .doesNotContain("language");
        assertThat(speeds).allMatch(speed -> speed.documentsPerSecond() > 0 && speed.megabytesPerSecond() > 0);
    }

    @Test
    void refusesAnEmptyText() {
        assertThatThrownBy(() -> StageBench.measure("", Optional.empty(), Optional.empty(), 1))
                .isInstanceOf(QuernException.class);
    }
}
