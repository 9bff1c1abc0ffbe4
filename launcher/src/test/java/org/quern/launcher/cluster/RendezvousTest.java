package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.launcher.cluster.Greeting.Hello;

/// Launchers that meet, and strangers that must not.
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class RendezvousTest {
    private static final byte[] TOKEN = "0123456789abcdef".getBytes(StandardCharsets.UTF_8);
    private static final byte[] OTHER_TOKEN = "0123456789abcdeX".getBytes(StandardCharsets.UTF_8);
    private static final Hello NODE_0 = new Hello(0, 2, 1, "1", "a: 1\nb: 2\n");
    private static final Hello NODE_1 = new Hello(1, 2, 1, "1", "a: 1\nb: 2\n");
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private final CompletableFuture<Map<Integer, Job.Node>> together = new CompletableFuture<>();
    private Job job;
    private ServerSocket server;
    private Coordinator coordinator;
    private final CompletableFuture<Integer> code = new CompletableFuture<>();
    private Thread thread;

    @TempDir
    Path logs;

    @BeforeEach
    void open() throws IOException {
        RunConfig.Workers limits = LaunchTest.limits(0, 120, 120, 0);
        Job.Attempts attempts = (_, nodes) -> {
            together.complete(Map.copyOf(nodes));
            return Map.of();
        };
        job = new Job(limits, 2, 0, attempts, new JobRecord(logs), _ -> {}, _ -> {});
        server = new ServerSocket(0, 1024, InetAddress.getLoopbackAddress());
        coordinator = new Coordinator(job, NODE_0, TOKEN, server);
        thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                code.complete(job.run());
            } catch (InterruptedException _) {
                // The test has ended.
            }
        });
        job.join(0, new Job.Node("here", 1, _ -> {}));
    }

    @AfterEach
    void close() throws IOException {
        thread.interrupt();
        server.close();
        coordinator.close();
    }

    private RemoteLauncher join(Hello hello, byte[] token) throws InterruptedException {
        return join(hello, token, LIMIT);
    }

    private RemoteLauncher join(Hello hello, byte[] token, Duration limit) throws InterruptedException {
        Address address = new Address("127.0.0.1", server.getLocalPort());
        return RemoteLauncher.join(address, hello, token, limit, LIMIT, _ -> {});
    }

    private Socket stranger() throws IOException {
        Socket socket = new Socket();
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.getLocalPort()));
        socket.setSoTimeout((int) LIMIT.toMillis());
        return socket;
    }

    /// Reads to the end of the connection.
    private static byte[] rest(InputStream input) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            input.transferTo(bytes);
        } catch (IOException _) {
            // A reset is an end, too.
        }
        return bytes.toByteArray();
    }

    @Test
    void letsInWhoKnowsTheToken() throws Exception {
        RemoteLauncher node = join(NODE_1, TOKEN);
        assertThat(together.get()).containsOnlyKeys(0, 1);
        assertThat(together.get().get(1).workers()).isEqualTo(1);
        node.tell(new NodeEvent.Failed(0, new Failure("worker 1", "ended", 7, false, List.of("last"))));
        job.on(0, new NodeEvent.Stopped(0, 0));
        node.tell(new NodeEvent.Stopped(0, 0));
        assertThat(code.get()).isEqualTo(7);
    }

    @Test
    void refusesAnotherToken() {
        assertRefused(NODE_1, OTHER_TOKEN, "another token");
        assertThat(together).isNotDone();
    }

    @Test
    void refusesWhatDoesNotFit() {
        assertRefused(new Hello(1, 2, 1, "2", NODE_1.config()), TOKEN, "node 0 runs Quern 1, this is 2");
        assertRefused(new Hello(1, 2, 1, "1", "a: 1\nb: 3\n"), TOKEN, "that has 'b: 2', this has 'b: 3'");
        assertRefused(new Hello(1, 3, 1, "1", NODE_1.config()), TOKEN, "node 0 counts 2 nodes");
        assertRefused(new Hello(0, 2, 1, "1", NODE_1.config()), TOKEN, "node 0 counts 2 nodes");
    }

    private void assertRefused(Hello hello, byte[] token, String message) {
        assertThatThrownBy(() -> join(hello, token))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining(message)
                .extracting(e -> ((QuernException) e).exitCode())
                .isEqualTo(ExitCode.DATA);
    }

    @Test
    void refusesASecondOneOfTheSameNumber() throws Exception {
        join(NODE_1, TOKEN);
        assertThatThrownBy(() -> join(NODE_1, TOKEN, Duration.ofSeconds(2)))
                .hasMessageContaining("there is a node 1 already");
    }

    @Test
    void aNodeThatIsLostFailsTheAttempt() throws Exception {
        try (Socket socket = stranger()) {
            LauncherChannel channel = LauncherChannel.call(socket, TOKEN);
            channel.send(NODE_1);
            assertThat(channel.receive(Greeting.class)).isInstanceOf(Greeting.Welcome.class);
            together.get();
        }
        job.on(0, new NodeEvent.Stopped(0, 0));
        assertThat(code.get()).isEqualTo(ExitCode.RETRYABLE.code());
    }

    @Test
    void aRecordedConnectionIsOfNoUse() throws Exception {
        byte[] recorded = recordedHello();
        try (Socket socket = stranger()) {
            new DataInputStream(socket.getInputStream()).readFully(new byte[36]);
            socket.getOutputStream().write(recorded);
            assertThat(rest(socket.getInputStream())).isEqualTo(new byte[] {-1, -1, -1, -1});
        }
        assertThat(together).isNotDone();
        join(NODE_1, TOKEN);
        together.get();
    }

    /// What node 1 sends to some node 0.
    private static byte[] recordedHello() throws IOException {
        try (ServerSocket trap = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket caller = new Socket(InetAddress.getLoopbackAddress(), trap.getLocalPort());
                Socket called = trap.accept()) {
            called.getOutputStream()
                    .write(ByteBuffer.allocate(36).putInt(0x51524E31).array());
            LauncherChannel.call(caller, TOKEN).send(NODE_1);
            caller.shutdownOutput();
            return called.getInputStream().readAllBytes();
        }
    }

    @Test
    void aFrameThatIsTooLongEndsTheConnection() throws Exception {
        try (Socket socket = stranger()) {
            new DataInputStream(socket.getInputStream()).readFully(new byte[36]);
            socket.getOutputStream()
                    .write(ByteBuffer.allocate(36)
                            .putInt(32, LauncherChannel.MOST_PAYLOAD_BYTES + 1)
                            .array());
            assertThat(rest(socket.getInputStream())).isEmpty();
        }
    }

    @Test
    void aFrameThatWasChangedEndsTheConnection() throws Exception {
        byte[] hello = recordedHello();
        Random random = new Random(1);
        for (int i = 0; i < 20; i++) {
            byte[] changed = hello.clone();
            changed[random.nextInt(changed.length)] ^= (byte) (1 << random.nextInt(8));
            try (Socket socket = stranger()) {
                new DataInputStream(socket.getInputStream()).readFully(new byte[36]);
                OutputStream output = socket.getOutputStream();
                output.write(changed);
                socket.shutdownOutput();
                assertThat(rest(socket.getInputStream())).hasSizeLessThanOrEqualTo(Integer.BYTES);
            }
        }
        assertThat(together).isNotDone();
    }

    @Test
    void aStrangerThatSaysNothingIsSentAway() throws Exception {
        try (Socket socket = stranger()) {
            assertThat(rest(socket.getInputStream())).hasSize(36);
        }
    }

    @Test
    void aThousandStrangersKeepNobodyOut() throws Exception {
        List<Socket> strangers = new ArrayList<>();
        try {
            for (int i = 0; i < 1000; i++) {
                strangers.add(stranger());
            }
            join(NODE_1, TOKEN);
            together.get();
        } finally {
            for (Socket socket : strangers) {
                socket.close();
            }
        }
    }
}
