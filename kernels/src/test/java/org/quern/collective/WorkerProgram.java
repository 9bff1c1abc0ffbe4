package org.quern.collective;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import org.quern.collective.TestGroup.BackEnd;

/// A worker in a process of its own: `BACK_END ADDRESS RANK WORLD LIMIT_MS SCENARIO`. Prints what went
/// wrong, or what ended its calls.
final class WorkerProgram {
    private static final long[] COUNTS = {0, 1, 127, 129, 1_000_003};

    static final String STARTED = "started";
    static final String READY = "ready";

    private WorkerProgram() {}

    public static void main(String[] args) throws IOException {
        int rank = Integer.parseInt(args[2]);
        int world = Integer.parseInt(args[3]);
        System.out.println(STARTED);
        System.in.read();
        try (Communicator workers =
                BackEnd.valueOf(args[0]).open(args[1], rank, world, Duration.ofMillis(Long.parseLong(args[4])))) {
            switch (args[5]) {
                case "sums" -> checkSums(workers);
                case "wait" -> waitForOthers(workers);
                default -> throw new IllegalArgumentException(args[5]);
            }
        } catch (CommunicatorException e) {
            System.out.println(e.getMessage());
        }
    }

    private static void checkSums(Communicator workers) {
        for (ElementType type : ElementType.values()) {
            for (long count : COUNTS) {
                String what = "%s of %d ".formatted(type, count);
                long[] bounds = uneven(workers.world(), count);
                long from = bounds[workers.rank()];
                long to = bounds[workers.rank() + 1];
                try (Arena arena = Arena.ofShared()) {
                    MemorySegment data = Terms.ofRank(arena, workers.rank(), count, type);
                    workers.allReduce(data, type);
                    require(what + "allReduce", Terms.wrong(data, 0, count, workers.world(), type));

                    data = Terms.ofRank(arena, workers.rank(), count, type);
                    workers.reduceScatter(data, bounds, type);
                    require(what + "reduceScatter", Terms.wrong(data, from, to, workers.world(), type));
                    workers.allGather(data, bounds, type);
                    require(what + "allGather", Terms.wrong(data, 0, count, workers.world(), type));

                    int root = (int) (count % workers.world());
                    data = Terms.ofRank(arena, workers.rank(), count, type);
                    workers.broadcast(data, root);
                    require(
                            what + "broadcast",
                            Terms.ofRank(arena, root, count, type).mismatch(data));
                    workers.barrier();
                }
            }
        }
    }

    /// Parts of many sizes, the first and others empty.
    private static long[] uneven(int world, long count) {
        long[] bounds = new long[world + 1];
        for (int rank = 2; rank < world; rank++) {
            bounds[rank] = rank % 2 == 0 ? count * rank / (world + 2) : bounds[rank - 1];
        }
        bounds[world] = count;
        return bounds;
    }

    private static void require(String what, long wrong) {
        if (wrong >= 0) {
            System.out.println(what + ": wrong at " + wrong);
        }
    }

    /// The last worker comes to the first call only.
    private static void waitForOthers(Communicator workers) throws IOException {
        workers.barrier();
        System.out.println(READY);
        if (workers.rank() == workers.world() - 1) {
            System.in.read();
        }
        workers.barrier();
    }
}
