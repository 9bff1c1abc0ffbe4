package org.quern.launcher;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.collective.Communicator;
import org.quern.collective.ElementType;
import org.quern.collective.SharedMemoryCommunicator;
import org.quern.collective.TcpCommunicator;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/// `quern bench collective-worker RANK WORLD`: sums with others what it is told to on standard input,
/// where the first line says by what. [BenchCollectiveCommand] starts it.
@Command(name = "collective-worker", hidden = true)
final class BenchCollectiveWorkerCommand implements Callable<Integer> {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int WARM_UPS = 3;

    @Parameters(index = "0")
    private int rank;

    @Parameters(index = "1")
    private int world;

    @Override
    public Integer call() throws IOException {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Communicator workers = join(questions.readLine().split(" "))) {
            workers.barrier();
            answer(Map.of("ready", true));
            for (String line = questions.readLine(); line != null; line = questions.readLine()) {
                String[] words = line.split(" ");
                answer(Map.of("seconds", time(workers, Long.parseLong(words[0]), Integer.parseInt(words[1]))));
            }
        }
        return ExitCode.OK.code();
    }

    private Communicator join(String[] how) {
        if (how[0].equals("memory")) {
            return SharedMemoryCommunicator.join(how[1], rank, world, 0, LIMIT);
        }
        InetSocketAddress first = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(how[1]));
        return TcpCommunicator.join(first, rank, world, 0, HexFormat.of().parseHex(how[2]), LIMIT);
    }

    private static double[] time(Communicator workers, long bytes, int iterations) {
        double[] seconds = new double[iterations];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(bytes, 64);
            for (int i = -WARM_UPS; i < iterations; i++) {
                workers.barrier();
                long began = System.nanoTime();
                workers.allReduce(data, ElementType.F32);
                if (i >= 0) {
                    seconds[i] = (System.nanoTime() - began) / 1e9;
                }
            }
        }
        return seconds;
    }

    private void answer(Map<String, ?> answer) {
        if (rank == 0) {
            System.out.println(JsonOutput.of(answer));
        }
    }
}
