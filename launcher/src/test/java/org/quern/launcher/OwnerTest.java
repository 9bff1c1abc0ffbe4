package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class OwnerTest {
    /// What works for an owner.
    static final class Owned {
        private Owned() {}

        public static void main(String[] args) throws Exception {
            Owner.watch();
            new ProcessBuilder("sleep", "1000").start();
            System.out.println("works");
            Thread.sleep(Long.MAX_VALUE);
        }
    }

    @Test
    void aProcessEndsWithItsOwner() throws Exception {
        Process owner = new ProcessBuilder("sleep", "1000").start();
        Process owned = new ProcessBuilder(
                        System.getProperty("java.home") + "/bin/java",
                        "-Dquern.owner=" + owner.pid(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Owned.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            assertThat(owned.inputReader().readLine()).isEqualTo("works");
            List<ProcessHandle> started = owned.descendants().toList();
            assertThat(started).isNotEmpty();
            owner.destroyForcibly();
            assertThat(owned.waitFor(1, TimeUnit.MINUTES)).isTrue();
            for (ProcessHandle one : started) {
                one.onExit().get(1, TimeUnit.MINUTES);
            }
        } finally {
            owner.destroyForcibly();
            owned.descendants().forEach(ProcessHandle::destroyForcibly);
            owned.destroyForcibly();
        }
    }

    @Test
    void theFlagNamesThisProcess() {
        assertThat(Owner.flags())
                .containsExactly("-Dquern.owner=" + ProcessHandle.current().pid());
    }
}
