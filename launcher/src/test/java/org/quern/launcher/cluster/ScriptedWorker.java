package org.quern.launcher.cluster;

import java.nio.file.Path;
import java.util.function.BooleanSupplier;
import org.quern.train.TrainEvent;

/// A worker that trains nothing: takes steps of a few milliseconds, and fails as told.
public final class ScriptedWorker {
    private static final long STEPS = 20;

    private ScriptedWorker() {}

    /// @param arguments `RANK FAULT ATTEMPTS`: worker RANK fails in the first so many attempts
    public static void main(String[] arguments) throws Exception {
        int failing = Integer.parseInt(arguments[0]);
        String fault = arguments[1];
        long attempts = Long.parseLong(arguments[2]);
        CallCount calls = new CallCount();
        WorkerLink link = WorkerLink.open(calls);
        Assignment place = Assignment.of(System.getenv()).orElseThrow();
        if (place.rehearses()) {
            place = link.standBy();
        }
        int rank = place.rank();
        long epoch = place.epoch();
        boolean fails = rank == failing && epoch < attempts && !fault.equals("none");
        BooleanSupplier stop = link.stop(() -> false);
        System.err.println("worker " + rank + " begins attempt " + epoch);
        System.err.println("as process " + ProcessHandle.current().pid());
        if (rank == 0) {
            link.tell(new TrainEvent.Started(Path.of("run"), 0, STEPS, 1, "plan"));
        }
        boolean forever = fault.equals("none") && attempts == Long.MAX_VALUE;
        for (long step = 1; forever || step <= STEPS; step++) {
            if (stop.getAsBoolean()) {
                System.exit(link.end(false).code());
            }
            if (step == STEPS / 2 && fails) {
                Fault.happen(fault);
            }
            if (step == STEPS / 2 && fault.equals("stuck") && epoch < attempts) {
                calls.during("allReduce", () -> Fault.happen(fault));
            }
            Thread.sleep(5);
            if (rank == 0 && link.save()) {
                link.tell(new TrainEvent.CheckpointSaved(step, Path.of("asked"), 1, 1, 1));
            }
        }
        System.exit(link.end(true).code());
    }
}
