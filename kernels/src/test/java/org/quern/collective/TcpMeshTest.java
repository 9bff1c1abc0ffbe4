package org.quern.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// Strangers on the network, and workers that do not belong together.
class TcpMeshTest {
    private static final int STRANGERS = 1000;
    private static final Duration SHORT = Duration.ofMillis(300);

    private final InetSocketAddress first =
            new InetSocketAddress(InetAddress.getLoopbackAddress(), TestGroup.freePort());

    private TcpCommunicator join(int rank, int world, long epoch, String token, Duration limit) {
        return TcpCommunicator.join(first, rank, world, epoch, (token + "................").getBytes(), limit);
    }

    @Test
    void refusesWhoHasAnotherTokenEpochWorldOrRank() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<TcpCommunicator> zero = threads.submit(() -> join(0, 2, 1, "right", TestGroup.PATIENT));
            assertThatThrownBy(() -> join(1, 2, 1, "wrong", TestGroup.PATIENT))
                    .isInstanceOf(CommunicatorException.class)
                    .hasMessageContaining("another token of the job");
            assertThatThrownBy(() -> join(1, 2, 2, "right", TestGroup.PATIENT))
                    .hasMessageContaining("the others are in another epoch than 2");
            assertThatThrownBy(() -> join(1, 3, 1, "right", TestGroup.PATIENT))
                    .hasMessageContaining("the others are not 3 workers");
            try (TcpCommunicator one = join(1, 2, 1, "right", TestGroup.PATIENT)) {
                Future<?> other = threads.submit(() -> {
                    zero.get().barrier();
                    return null;
                });
                one.barrier();
                other.get();
            }
            zero.get().close();
        }
    }

    @Test
    void strangersDoNotDisturb() throws Exception {
        List<Socket> strangers = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
                Arena arena = Arena.ofShared()) {
            Future<TcpCommunicator> zero = threads.submit(() -> join(0, 2, 1, "right", TestGroup.PATIENT));
            for (int i = 0; i < STRANGERS; i++) {
                Socket stranger = call();
                strangers.add(stranger);
                if (i % 2 == 0) {
                    stranger.getOutputStream().write(new byte[4000]); // the others say nothing
                }
            }
            MemorySegment[] data = {arena.allocate(4, 4), arena.allocate(4, 4)};
            data[0].set(ValueLayout.JAVA_FLOAT, 0, 1);
            data[1].set(ValueLayout.JAVA_FLOAT, 0, 2);
            try (TcpCommunicator one = join(1, 2, 1, "right", TestGroup.PATIENT)) {
                Future<?> other = threads.submit(() -> {
                    zero.get().allReduce(data[0], ElementType.F32);
                    return null;
                });
                one.allReduce(data[1], ElementType.F32);
                other.get();
            }
            assertThat(data[0].get(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(3);
            zero.get().close();
        } finally {
            for (Socket stranger : strangers) {
                stranger.close();
            }
        }
    }

    /// As soon as somebody listens.
    private Socket call() throws IOException, InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (true) {
            try {
                return new Socket(first.getAddress(), first.getPort());
            } catch (java.net.ConnectException e) {
                if (System.nanoTime() > deadline) {
                    throw e;
                }
                Thread.sleep(10);
            }
        }
    }

    @Test
    void saysWhoHasNotCome() {
        assertThatThrownBy(() -> join(0, 2, 1, "right", SHORT))
                .hasMessage("worker 0 cannot reach the others: worker 1 has not called within 0.3 s");
        assertThatThrownBy(() -> join(1, 2, 1, "right", SHORT))
                .hasMessageMatching("worker 1 cannot reach the others: .* has not answered for 0.3 s: .*");
    }

    @Test
    void rejectsAShortToken() {
        assertThatThrownBy(() -> TcpCommunicator.join(first, 0, 2, 1, new byte[15], SHORT))
                .hasMessage("a job's token has 16 bytes or more: got 15");
    }
}
