package org.quern.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.collective.TestGroup.BackEnd;
import org.quern.gpu.JavaProcess;

/// What holds for workers however they reach each other.
class CommunicatorTest {
    private static final MemorySegment DATA = Arena.global().allocate(32, 4);

    @ParameterizedTest
    @CsvSource({"SHARED_MEMORY, 2", "SHARED_MEMORY, 3", "SHARED_MEMORY, 4", "TCP, 3"})
    void sumsToTheLastBit(BackEnd backEnd, int world) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, world, TestGroup.PATIENT)) {
            for (JavaProcess process : group.processes("sums")) {
                assertThat(process.await()).isEqualTo("exit 0\n");
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void namesWhoWasKilled(BackEnd backEnd) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, 3, TestGroup.PATIENT)) {
            List<String> others = whatTheOthersSay(group, "KILL");
            assertThat(others).allMatch(text -> text.matches("(?s)worker 2 \\(.*\\) died.*exit 0\n"));
        }
    }

    @ParameterizedTest
    @EnumSource
    void namesWhoIsStopped(BackEnd backEnd) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, 3, Duration.ofSeconds(3))) {
            List<String> others = whatTheOthersSay(group, "STOP");
            assertThat(others)
                    .allMatch(text ->
                            text.matches("(?s)worker 2 \\(.*\\) has kept the others waiting.*call 2.*exit 0\n"));
        }
    }

    /// Does something to the last worker after a first call of all.
    private static List<String> whatTheOthersSay(TestGroup group, String signal) throws Exception {
        List<JavaProcess> processes = group.processes("wait");
        Process last = processes.getLast().process();
        try {
            TestGroup.awaitLine(processes.getLast(), WorkerProgram.READY);
            new ProcessBuilder("kill", "-" + signal, String.valueOf(last.pid()))
                    .start()
                    .waitFor();
            List<String> texts = new ArrayList<>();
            for (JavaProcess process : processes.subList(0, processes.size() - 1)) {
                texts.add(process.await().replace(WorkerProgram.READY + "\n", ""));
            }
            return texts;
        } finally {
            last.destroyForcibly().waitFor();
        }
    }

    @ParameterizedTest
    @EnumSource
    void endsCallsThatDoNotMatch(BackEnd backEnd) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, 3, TestGroup.PATIENT)) {
            List<String> texts = group.threads(workers -> {
                workers.barrier();
                if (workers.rank() == 1) {
                    workers.broadcast(DATA, 0);
                } else {
                    workers.allReduce(DATA, ElementType.F32);
                }
                return "done";
            });
            assertThat(texts)
                    .allMatch(text -> text.startsWith("the workers' calls do not match: call 2 is ")
                            && text.contains("allReduce of 8 F32 in worker")
                            && text.contains("broadcast of 32 bytes from worker 0 in worker 1"));
        }
    }

    @ParameterizedTest
    @EnumSource
    void endsCallsOfOtherTypesAndParts(BackEnd backEnd) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, 2, TestGroup.PATIENT)) {
            List<String> texts = group.threads(workers -> {
                workers.allReduce(DATA, ElementType.values()[workers.rank()]);
                return "done";
            });
            assertThat(texts).allMatch(text -> text.contains("of 8 F32") && text.contains("of 16 BF16"));
        }
        try (TestGroup group = new TestGroup(backEnd, 2, TestGroup.PATIENT)) {
            List<String> texts = group.threads(workers -> {
                workers.allGather(DATA, new long[] {0, 3 + workers.rank(), 8}, ElementType.F32);
                return "done";
            });
            assertThat(texts).allMatch(text -> text.contains("do not match: call 1 is allGather of 8 F32 in parts"));
        }
    }

    @ParameterizedTest
    @EnumSource
    void anyThreadAbortsAllWorkers(BackEnd backEnd) throws Exception {
        CountDownLatch waiting = new CountDownLatch(2);
        try (TestGroup group = new TestGroup(backEnd, 3, TestGroup.PATIENT)) {
            List<String> texts = group.threads(workers -> {
                workers.barrier();
                if (workers.rank() == 1) {
                    await(waiting);
                    workers.abort("the loss is not a number");
                    workers.abort("another reason");
                } else {
                    waiting.countDown();
                }
                workers.barrier();
                return "done";
            });
            assertThat(texts).hasSize(3).allMatch(text -> text.contains("the loss is not a number"));
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @EnumSource
    void endsCallsOfWorkersThatOneHasLeft(BackEnd backEnd) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, 3, TestGroup.PATIENT)) {
            List<String> texts = group.threads(workers -> {
                workers.barrier();
                if (workers.rank() != 1) {
                    workers.barrier();
                }
                return "done";
            });
            assertThat(texts.get(1)).isEqualTo("done");
            assertThat(List.of(texts.get(0), texts.get(2)))
                    .allMatch(text -> text.matches("worker 1 \\(.*\\) has left: .*call 2.*"));
        }
    }

    @ParameterizedTest
    @EnumSource
    void rejectsWhatCannotBeCalled(BackEnd backEnd) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, 2, TestGroup.PATIENT)) {
            group.threads(workers -> {
                assertThatThrownBy(() -> workers.allReduce(MemorySegment.ofArray(new float[2]), ElementType.F32))
                        .hasMessage("data must be off the heap");
                assertThatThrownBy(() -> workers.allReduce(DATA.asSlice(1, 8), ElementType.F32))
                        .hasMessageStartingWith("data must be whole, aligned elements of F32: got 8 bytes");
                assertThatThrownBy(() -> workers.allGather(DATA, new long[] {0, 9, 8}, ElementType.F32))
                        .hasMessage("bounds must be 3 numbers, ascending from 0 to 8: got [0, 9, 8]");
                assertThatThrownBy(() -> workers.broadcast(DATA, 2)).hasMessage("there is no worker 2 of 2");
                workers.barrier();
                workers.close();
                assertThatThrownBy(workers::barrier).hasMessage("worker %d has left already".formatted(workers.rank()));
                workers.abort("too late");
                return "done";
            });
        }
    }

    @ParameterizedTest
    @EnumSource
    void aFaultHappensBeforeItsCall(BackEnd backEnd) throws Exception {
        try (TestGroup group = new TestGroup(backEnd, 2, TestGroup.PATIENT)) {
            List<String> texts = group.threads(workers -> {
                if (workers.rank() == 0) {
                    workers.allReduce(DATA, ElementType.F32);
                    workers.broadcast(DATA, 0);
                    workers.barrier();
                    return "done";
                }
                Communicator faulty = new FaultInjecting(workers, 3, () -> workers.abort("as the test wants"));
                faulty.allReduce(DATA, ElementType.F32);
                faulty.broadcast(DATA, 0);
                try {
                    faulty.barrier();
                    return "done";
                } catch (CommunicatorException e) {
                    return "in the third call: " + e.getMessage();
                }
            });
            assertThat(texts).containsExactly("as the test wants", "in the third call: as the test wants");
        }
    }

    @Test
    void aWorkerAloneHasWhatItHas() {
        try (Communicator alone = new SingleCommunicator(Communicator.Place.HOST)) {
            alone.allReduce(DATA, ElementType.F32);
            alone.barrier();
            assertThat(alone.world()).isEqualTo(1);
        }
    }
}
