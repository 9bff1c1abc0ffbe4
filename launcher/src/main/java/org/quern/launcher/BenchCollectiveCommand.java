package org.quern.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.NcclCommunicator;
import org.quern.collective.SharedMemory;
import org.quern.kernels.bench.Timing;
import org.quern.launcher.bench.MpiGroup;
import org.quern.launcher.bench.SummingGroup;
import org.quern.launcher.bench.WaitingGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern bench collective`: how fast workers of this machine sum, and others beside them.
@Command(
        name = "collective",
        description = {
            "Times all-reduces of fp32 between processes of this machine, by shared memory and by TCP, in turns with others.",
            "Prints a row of Markdown for each size and group. As nccl-tests defines them: the algorithm's bandwidth is "
                    + "bytes / time, that of the bus 2 (n - 1) / n times as much for n processes."
        })
final class BenchCollectiveCommand implements Callable<Integer> {
    private static final int TRIAL = 3;
    private static final int LEAST_ITERATIONS = 5;
    private static final int MOST_ITERATIONS = 2000;

    @Option(
            names = "--nccl",
            description = "Of GPUs, by NCCL: checks sums, parts, an abort and a new start first, then times. One worker"
                    + " may do that alone; NCCL 2.30 lets more share a GPU with NCCL_MULTI_RANK_GPU_ENABLE=1.")
    private boolean nccl;

    @Option(names = "--workers", paramLabel = "N", description = "Processes; ${DEFAULT-VALUE} by default.")
    private int workers = 2;

    @Option(
            names = "--bytes",
            split = ",",
            paramLabel = "N",
            description = "Sizes of the buffer, 4 bytes a number; ${DEFAULT-VALUE} by default.")
    private List<Long> sizes = List.of(4L, 10_000L, 1_000_000L, 100_000_000L);

    @Option(names = "--rounds", description = "Turns of each group and size; ${DEFAULT-VALUE} by default.")
    private int rounds = 3;

    @Option(names = "--seconds", paramLabel = "N", description = "For each turn; ${DEFAULT-VALUE} by default.")
    private double seconds = 0.5;

    @Option(names = "--torch", paramLabel = "PYTHON", description = "A Python with torch, which sums by Gloo.")
    private Optional<String> torch = Optional.empty();

    @Option(names = "--mpi", description = "Compare with Open MPI, by the mpicc and mpirun in PATH.")
    private boolean mpi;

    @Option(names = "--json", description = "Print the measurements as JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (workers < (nccl ? 1 : 2)
                || rounds < 1
                || seconds <= 0
                || sizes.stream().anyMatch(size -> size < 4 || size % 4 != 0)) {
            throw new ParameterException(
                    spec.commandLine(),
                    "at least 2 --workers (1 with --nccl) and 1 round, --seconds > 0, and --bytes that are multiples of 4 are needed");
        }
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        List<SummingGroup> groups = new ArrayList<>();
        try {
            start(groups);
            Map<String, Timing> timings = new LinkedHashMap<>();
            for (long bytes : sizes) {
                time(groups, bytes, timings);
            }
            List<Row> rows = rows(groups, timings);
            if (json) {
                System.out.println(JsonOutput.of(rows));
            } else {
                print(rows, load);
            }
        } finally {
            groups.forEach(SummingGroup::close);
        }
        return ExitCode.OK.code();
    }

    private void start(List<SummingGroup> groups) throws IOException {
        Terminal.error().status("starting");
        if (nccl) {
            GpuWorkers.requireGpus(workers);
            HexFormat hex = HexFormat.of();
            groups.add(new WaitingGroup(
                    "Quern, NCCL",
                    own(),
                    "nccl %s %s"
                            .formatted(
                                    hex.formatHex(NcclCommunicator.newId()), hex.formatHex(NcclCommunicator.newId()))));
            return;
        }
        if (SharedMemory.problem().isPresent()) {
            Terminal.error().print(SharedMemory.problem().get());
        } else {
            try (SharedMemory memory = SharedMemory.create(workers, 0, SharedMemory.SLOT_BYTES)) {
                groups.add(new WaitingGroup("Quern, shared memory", own(), "memory " + memory.name()));
            }
        }
        byte[] token = new byte[32];
        new SecureRandom().nextBytes(token);
        groups.add(new WaitingGroup(
                "Quern, TCP",
                own(),
                "tcp %d %s".formatted(freePort(), HexFormat.of().formatHex(token))));
        if (torch.isPresent()) {
            groups.add(new WaitingGroup("Gloo", gloo(torch.get()), ""));
        }
        if (mpi) {
            groups.add(new MpiGroup(workers));
        }
    }

    private List<List<String>> own() {
        return IntStream.range(0, workers)
                .mapToObj(rank -> OwnProgram.command(
                        List.of("bench", "collective-worker", String.valueOf(rank), String.valueOf(workers))))
                .toList();
    }

    private List<List<String>> gloo(String python) throws IOException {
        try (InputStream in = getClass().getResourceAsStream("/bench/all_reduce_gloo.py")) {
            String script = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
            String port = String.valueOf(freePort());
            return IntStream.range(0, workers)
                    .mapToObj(
                            rank -> List.of(python, "-c", script, String.valueOf(rank), String.valueOf(workers), port))
                    .toList();
        }
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw QuernException.io("there is no free port", e);
        }
    }

    /// In turns, so that what else the machine does meets all of them.
    private void time(List<SummingGroup> groups, long bytes, Map<String, Timing> timings) {
        for (int round = 0; round < rounds; round++) {
            for (SummingGroup group : groups) {
                Terminal.error()
                        .status("%,d bytes, round %d of %d: %s".formatted(bytes, round + 1, rounds, group.name()));
                double trial = group.time(bytes, TRIAL).median();
                int iterations = Math.clamp((long) (seconds / trial), LEAST_ITERATIONS, MOST_ITERATIONS);
                timings.merge(key(group, bytes), group.time(bytes, iterations), Timing::and);
            }
        }
    }

    private static String key(SummingGroup group, long bytes) {
        return bytes + " " + group.name();
    }

    private List<Row> rows(List<SummingGroup> groups, Map<String, Timing> timings) {
        List<Row> rows = new ArrayList<>();
        for (long bytes : sizes) {
            double first = timings.get(key(groups.getFirst(), bytes)).median();
            for (SummingGroup group : groups) {
                Timing timing = timings.get(key(group, bytes));
                double algorithm = bytes / timing.median() / 1e9;
                rows.add(new Row(
                        bytes,
                        group.name(),
                        timing.median(),
                        timing.seconds().getFirst(),
                        timing.spread(),
                        algorithm,
                        algorithm * 2 * (workers - 1) / workers,
                        timing.median() / first));
            }
        }
        return rows;
    }

    private void print(List<Row> rows, double load) {
        Terminal.error().status("");
        System.out.printf("%s; load %.1f%n", BenchCpuCommand.machine(), load);
        System.out.printf(
                "    quern %s%n%n",
                String.join(" ", spec.root().commandLine().getParseResult().originalArgs()));
        System.out.println(
                "| bytes | by | median ms | spread | best ms | algbw GB/s | busbw GB/s | first row is faster by |");
        System.out.println("|---|---|---|---|---|---|---|---|");
        rows.forEach(System.out::println);
    }

    /// What `--json` prints.
    ///
    /// @param spread between the slowest and the fastest quarter, as a part of the median
    /// @param algorithmBandwidth in GB/s, as the bus's
    /// @param slower how many times as long as the first group
    private record Row(
            long bytes,
            String by,
            double medianSeconds,
            double bestSeconds,
            double spread,
            double algorithmBandwidth,
            double busBandwidth,
            double slower) {
        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "| %d | %s | %.4g | %.0f %% | %.4g | %.3g | %.3g | %.2f |",
                    bytes,
                    by,
                    medianSeconds * 1e3,
                    spread * 100,
                    bestSeconds * 1e3,
                    algorithmBandwidth,
                    busBandwidth,
                    slower);
        }
    }
}
