package org.quern.launcher.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class TimeBudgetTest {
    private long now = 12_345;

    private TimeBudget budget(int seconds) {
        return new TimeBudget(Duration.ofSeconds(seconds), () -> now);
    }

    private void pass(Duration time) {
        now += time.toNanos();
    }

    /// What each stage gets if every one uses all of it.
    private List<Optional<Duration>> shares(int seconds) {
        TimeBudget budget = budget(seconds);
        List<Optional<Duration>> shares = new ArrayList<>();
        List<Stage> stages = List.of(Stage.values());
        for (Stage stage : stages) {
            Optional<Duration> share = budget.share(stage, stages.subList(stage.ordinal() + 1, stages.size()));
            share.ifPresent(this::pass);
            shares.add(share);
        }
        return shares;
    }

    @Test
    void tenMinutesAreEnoughForAll() {
        assertThat(shares(590)).allMatch(Optional::isPresent);
        assertThat(Stream.of(Stage.values()).mapToInt(Stage::reserve).sum()).isLessThan(300);
        assertThat(shares(590).get(Stage.TRAINING.ordinal()))
                .hasValueSatisfying(share -> assertThat(share.toSeconds()).isGreaterThanOrEqualTo(120));
    }

    @Test
    void noShareIsMoreThanIsLeft() {
        for (int seconds = 0; seconds < 1000; seconds += 7) {
            long begin = now;
            shares(seconds);
            assertThat(now - begin).isLessThanOrEqualTo(seconds * 1_000_000_000L);
        }
    }

    @Test
    void theFirstStagesGetTheirLeastWhereTimeIsShort() {
        List<Optional<Duration>> shares = shares(55);
        assertThat(shares.subList(0, 3))
                .containsExactly(
                        Optional.of(Duration.ofSeconds(10)),
                        Optional.of(Duration.ofSeconds(20)),
                        Optional.of(Duration.ofSeconds(20)));
        assertThat(shares.subList(3, shares.size())).allMatch(Optional::isEmpty);
    }

    @Test
    void whatAStageLeavesIsForTheOthers() {
        TimeBudget budget = budget(100);
        assertThat(budget.share(Stage.TUNE, List.of(Stage.PRODUCTS))).contains(Duration.ofSeconds(70));
        pass(Duration.ofSeconds(10));
        assertThat(budget.left()).isEqualTo(Duration.ofSeconds(90));
        assertThat(budget.share(Stage.PRODUCTS, List.of())).contains(Duration.ofSeconds(90));
        pass(Duration.ofSeconds(100));
        assertThat(budget.left()).isZero();
        assertThat(budget.share(Stage.CHECK, List.of())).isEmpty();
    }
}
