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
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.LongFunction;
import org.quern.base.ExitCode;
import org.quern.collective.Communicator;
import org.quern.collective.ElementType;
import org.quern.collective.SharedMemoryCommunicator;
import org.quern.collective.TcpCommunicator;
import org.quern.launcher.bench.NcclWorker;
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
        String[] how = questions.readLine().split(" ");
        if (how[0].equals("nccl")) {
            try (NcclWorker worker = new NcclWorker(rank, world, how[1], how[2])) {
                answer(questions, worker.communicator(), worker::allocate);
            }
            return ExitCode.OK.code();
        }
        try (Communicator workers = join(how);
                Arena arena = Arena.ofConfined()) {
            answer(questions, workers, bytes -> arena.allocate(bytes, 64));
        }
        return ExitCode.OK.code();
    }

    private void answer(BufferedReader questions, Communicator workers, LongFunction<MemorySegment> memory)
            throws IOException {
        workers.barrier();
        answer(Map.of("ready", true));
        Map<Long, MemorySegment> buffers = new HashMap<>();
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] words = line.split(" ");
            MemorySegment data = buffers.computeIfAbsent(Long.parseLong(words[0]), memory::apply);
            answer(Map.of("seconds", time(workers, data, Integer.parseInt(words[1]))));
        }
    }

    private Communicator join(String[] how) {
        if (how[0].equals("memory")) {
            return SharedMemoryCommunicator.join(how[1], rank, world, 0, LIMIT);
        }
        InetSocketAddress first = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(how[1]));
        return TcpCommunicator.join(first, rank, world, 0, HexFormat.of().parseHex(how[2]), LIMIT);
    }

    private static double[] time(Communicator workers, MemorySegment data, int iterations) {
        double[] seconds = new double[iterations];
        for (int i = -WARM_UPS; i < iterations; i++) {
            workers.barrier();
            long began = System.nanoTime();
            workers.allReduce(data, ElementType.F32);
            if (i >= 0) {
                seconds[i] = (System.nanoTime() - began) / 1e9;
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
