package org.quern.launcher;

import java.util.List;
import java.util.function.Consumer;
import org.quern.launcher.cluster.WorkerRequest;

/// What the signals that a launcher gets ask of its workers.
final class WorkerSignals {
    private WorkerSignals() {}

    /// A second signal to stop ends this process at once, and with it its workers.
    static void forward(Consumer<WorkerRequest> workers) {
        new StopSignal(
                "stopping all workers after this step, with a checkpoint (once more: at once)",
                () -> workers.accept(WorkerRequest.STOP));
        StopSignal.handle(List.of("USR1"), _ -> workers.accept(WorkerRequest.SAVE));
    }
}
