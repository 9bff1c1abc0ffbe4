package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ThreadTeamTest {
    /// Counts how often each task runs, and notes a phase that starts before the one before has ended.
    private static final class Counting implements Kernel {
        private final int phases;
        private final int tasks;
        private final AtomicIntegerArray runs;
        private final AtomicInteger ended = new AtomicInteger();
        private final AtomicInteger early = new AtomicInteger();

        Counting(int phases, int tasks) {
            this.phases = phases;
            this.tasks = tasks;
            runs = new AtomicIntegerArray(phases * tasks);
        }

        @Override
        public int phases() {
            return phases;
        }

        @Override
        public int tasks(int phase) {
            return tasks;
        }

        @Override
        public void run(int phase, int task) {
            if (ended.get() / tasks % phases != phase) {
                early.incrementAndGet();
            }
            runs.incrementAndGet(phase * tasks + task);
            ended.incrementAndGet();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void runsEachTaskOnceAndPhasesInOrder(int threads) {
        try (ThreadTeam team = new ThreadTeam(threads)) {
            assertThat(team.threads()).isEqualTo(threads);
            for (int tasks : new int[] {1, 2, 3, 7, 100}) {
                Counting kernel = new Counting(3, tasks);
                int repeats = 200;
                for (int i = 0; i < repeats; i++) {
                    team.execute(kernel);
                }
                assertThat(kernel.early.get()).isZero();
                for (int i = 0; i < kernel.runs.length(); i++) {
                    assertThat(kernel.runs.get(i)).isEqualTo(repeats);
                }
            }
        }
    }

    @Test
    void survivesManyTinyKernelsAndPauses() throws InterruptedException {
        try (ThreadTeam team = new ThreadTeam(3)) {
            Counting kernel = new Counting(2, 4);
            for (int i = 0; i < 50_000; i++) {
                team.execute(kernel);
                if (i % 1_000 == 0) {
                    Thread.sleep(1); // long enough for the threads to park
                }
            }
            assertThat(kernel.ended.get()).isEqualTo(50_000 * 8);
            assertThat(kernel.early.get()).isZero();
        }
    }

    private record Failing(int failing, AtomicInteger ended) implements Kernel {
        @Override
        public int phases() {
            return 2;
        }

        @Override
        public int tasks(int phase) {
            return phase == 0 ? 40 : 1;
        }

        @Override
        public void run(int phase, int task) {
            if (phase == 1) {
                throw new AssertionError("the second phase ran");
            }
            if (task >= failing) {
                throw new IllegalStateException("task " + task);
            }
            ended.incrementAndGet();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void throwsTheExceptionOfATaskAndStaysUsable(int threads) {
        try (ThreadTeam team = new ThreadTeam(threads)) {
            for (int i = 0; i < 100; i++) {
                AtomicInteger ended = new AtomicInteger();
                assertThatThrownBy(() -> team.execute(new Failing(30, ended)))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageMatching("task 3\\d");
                assertThat(ended.get()).isEqualTo(30);
            }
            Counting kernel = new Counting(2, 10);
            team.execute(kernel);
            assertThat(kernel.ended.get()).isEqualTo(20);
        }
    }

    @Test
    void callersTakeTurns() throws InterruptedException {
        try (ThreadTeam team = new ThreadTeam(2)) {
            Counting kernel = new Counting(2, 5);
            Thread[] callers = new Thread[3];
            for (int i = 0; i < callers.length; i++) {
                callers[i] = new Thread(() -> {
                    for (int repeat = 0; repeat < 300; repeat++) {
                        team.execute(kernel);
                    }
                });
                callers[i].start();
            }
            for (Thread caller : callers) {
                caller.join();
            }
            assertThat(kernel.ended.get()).isEqualTo(9000);
            assertThat(kernel.early.get()).isZero();
        }
    }

    @Test
    void worksOnAnInterruptedThread() {
        try (ThreadTeam team = new ThreadTeam(2)) {
            Counting kernel = new Counting(2, 5);
            Thread.currentThread().interrupt();
            for (int i = 0; i < 100; i++) {
                team.execute(kernel);
            }
            assertThat(Thread.interrupted()).isTrue();
            assertThat(kernel.ended.get()).isEqualTo(1000);
        }
    }

    @Test
    void closesOnceAndForAll() {
        ThreadTeam team = new ThreadTeam(3);
        team.execute(new Counting(1, 10));
        team.close();
        team.close();
        assertThatThrownBy(() -> team.execute(new Counting(1, 10)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("the thread team is closed");
    }

    @Test
    void refusesAKernelInsideATask() {
        try (ThreadTeam team = new ThreadTeam(1)) {
            Kernel nested = new Kernel() {
                @Override
                public int tasks(int phase) {
                    return 1;
                }

                @Override
                public void run(int phase, int task) {
                    team.execute(new Counting(1, 1));
                }
            };
            assertThatThrownBy(() -> team.execute(nested))
                    .hasMessage("a task must not execute a kernel on its own team");
        }
    }

    @Test
    void refusesATeamOfNone() {
        assertThatThrownBy(() -> new ThreadTeam(0)).hasMessage("threads must be at least 1: got 0");
    }

    @Test
    void allocatesNothing() {
        var beans = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (ThreadTeam team = new ThreadTeam(2)) {
            Counting kernel = new Counting(3, 10);
            long allocated = Long.MAX_VALUE;
            for (int attempt = 0; attempt < 200 && allocated > 0; attempt++) {
                long before = beans.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 100; i++) {
                    team.execute(kernel);
                }
                allocated = beans.getCurrentThreadAllocatedBytes() - before;
            }
            assertThat(allocated).isZero();
        }
    }
}
