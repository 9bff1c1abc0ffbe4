package org.quern.launcher.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.base.Json;
import org.quern.launcher.cluster.NodeEvent.WorkerState;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Writes down what a job does, for the dashboard: how its workers are, in `workers.json`, and that they
/// failed, in the run's `events.jsonl`. The latter only between attempts, while no worker writes to it. A full
/// disk does not stop a job.
final class JobRecord {
    private static final Logger LOG = LoggerFactory.getLogger(JobRecord.class);

    private static final double MILLIS = 1000;

    private final Path logs;

    JobRecord(Path logs) {
        this.logs = logs;
    }

    /// @param states of the workers of each node
    void workers(long epoch, Map<Integer, Job.Node> nodes, Map<Integer, List<WorkerState>> states) {
        List<Map<String, Object>> workers = new ArrayList<>();
        states.forEach((node, all) -> all.forEach(state -> {
            Map<String, Object> worker = new LinkedHashMap<>();
            worker.put("rank", state.rank());
            worker.put("host", nodes.containsKey(node) ? nodes.get(node).host() : "node " + node);
            worker.put("pid", state.pid());
            worker.put("state", state.call().isEmpty() ? "training" : "waiting for others");
            worker.put("silent_seconds", state.silentMillis() / MILLIS);
            worker.put("step_seconds", state.stuckMillis() / MILLIS);
            worker.put("cpu", state.cpu());
            worker.put("memory_bytes", state.memoryBytes());
            worker.put("attempt", epoch);
            workers.add(worker);
        }));
        String line = Json.MAPPER.writeValueAsString(Map.of("workers", workers)) + "\n";
        Path whole = logs.resolve("workers.json.tmp");
        try {
            Files.writeString(whole, line);
            Files.move(
                    whole,
                    logs.resolve("workers.json"),
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            LOG.debug("workers.json could not be written", e);
        }
    }

    /// @param restart how many there were without a new checkpoint, this one included; 0: there is none
    void failed(Failure cause, int restart) {
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        event.put("event", "worker_failed");
        event.put(
                "reason", cause.headline() + (restart > 0 ? "; all start again (restart %d)".formatted(restart) : ""));
        try {
            Files.writeString(
                    logs.resolve("events.jsonl"),
                    Json.MAPPER.writeValueAsString(event) + "\n",
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            LOG.warn("events.jsonl could not be written: {}", e.getMessage());
        }
    }
}
