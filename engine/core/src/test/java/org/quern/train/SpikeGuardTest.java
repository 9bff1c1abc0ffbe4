package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class SpikeGuardTest {
    /// Losses 1, 2, 1, 2: mean 1.5, standard deviation 0.5; gradient norms 4, 6: mean 5, standard deviation 1.
    private static SpikeGuard guard() {
        SpikeGuard guard = new SpikeGuard(4, 3, SpikeGuard.State.EMPTY);
        for (int i = 0; i < 4; i++) {
            assertThat(guard.check(1 + i % 2, 4 + 2 * (i % 2))).isEmpty();
        }
        return guard;
    }

    @Test
    void findsALossFarAboveTheOthers() {
        assertThat(guard().check(3, 5)).isEmpty();
        assertThat(guard().check(-9, 5)).isEmpty();
        assertThat(guard().check(3.1, 5))
                .hasValue("loss 3.100 is 3.2 standard deviations above the mean 1.500 of the last 4 steps (limit 3.0)");
    }

    @Test
    void findsAGradientNormFarAboveTheOthers() {
        assertThat(guard().check(1, 8)).isEmpty();
        assertThat(guard().check(1, 8.5))
                .hasValueSatisfying(reason -> assertThat(reason)
                        .startsWith("gradient norm 8.500 is 3.5 standard deviations above the mean 5.000"));
    }

    @Test
    void findsNothingBeforeTheWindowIsFull() {
        SpikeGuard guard = new SpikeGuard(4, 3, SpikeGuard.State.EMPTY);
        for (double loss : new double[] {1, 2, 1000}) {
            assertThat(guard.check(loss, loss)).isEmpty();
        }
    }

    @Test
    void doesNotLearnFromSpikes() {
        SpikeGuard guard = guard();
        for (int i = 0; i < 9; i++) {
            assertThat(guard.check(9, 5)).isPresent();
        }
        assertThat(guard.state()).isEqualTo(guard().state());
    }

    @Test
    void findsNothingWhereAllAreTheSame() {
        SpikeGuard guard = new SpikeGuard(4, 3, SpikeGuard.State.EMPTY);
        for (int i = 0; i < 9; i++) {
            assertThat(guard.check(2, 2)).isEmpty();
        }
        assertThat(guard.check(3, 3)).isEmpty();
    }

    @Test
    void goesOnFromItsState() {
        SpikeGuard whole = new SpikeGuard(4, 1.2, SpikeGuard.State.EMPTY);
        SpikeGuard resumed = new SpikeGuard(4, 1.2, SpikeGuard.State.EMPTY);
        int spikes = 0;
        for (int i = 0; i < 40; i++) {
            Optional<String> expected = whole.check(i * 7 % 11, i * 5 % 13);
            assertThat(resumed.check(i * 7 % 11, i * 5 % 13)).isEqualTo(expected);
            resumed = new SpikeGuard(4, 1.2, resumed.state());
            spikes += expected.isPresent() ? 1 : 0;
        }
        assertThat(spikes).isBetween(2, 38);
    }
}
