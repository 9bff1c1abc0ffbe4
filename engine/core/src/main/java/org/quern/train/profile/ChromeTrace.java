package org.quern.train.profile;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.base.Json;
import org.quern.executor.Operation;

/// Timed steps in the Trace Event Format, which chrome://tracing and Perfetto show: complete events of one process, in
/// microseconds; the steps are one thread, the operations another.
final class ChromeTrace {
    private static final int PROCESS = 0;
    private static final int STEPS = 1;
    private static final int OPERATIONS = 2;

    private ChromeTrace() {}

    /// @param device for people
    /// @param clock what the times are
    static byte[] of(List<TimedStep> steps, String device, String clock) {
        List<Map<String, Object>> events = new ArrayList<>();
        events.add(name("process_name", 0, device));
        events.add(name("thread_name", STEPS, "steps"));
        events.add(name("thread_name", OPERATIONS, "operations"));
        long zero = steps.stream()
                .flatMap(step -> step.operations().stream())
                .mapToLong(TimedOperation::start)
                .min()
                .orElse(0);
        for (TimedStep step : steps) {
            List<TimedOperation> operations = step.operations();
            if (operations.isEmpty()) {
                continue;
            }
            long start = operations.getFirst().start() - zero;
            long end = operations.getLast().start() + operations.getLast().nanos() - zero;
            events.add(event("step " + step.step(), "step", STEPS, start, end - start, Map.of()));
            operations.forEach(timed -> events.add(event(
                    timed.operation().kind(),
                    "operation",
                    OPERATIONS,
                    timed.start() - zero,
                    timed.nanos(),
                    arguments(timed.operation()))));
        }
        Map<String, Object> trace = new LinkedHashMap<>();
        trace.put("displayTimeUnit", "ms");
        trace.put("otherData", Map.of("device", device, "clock", clock));
        trace.put("traceEvents", events);
        return Json.MAPPER.writeValueAsBytes(trace);
    }

    private static Map<String, Object> arguments(Operation operation) {
        Map<String, Object> arguments = new LinkedHashMap<>();
        arguments.put("result", operation.result().toString());
        arguments.put("flop", operation.cost().flop());
        arguments.put("bytes", operation.cost().bytes());
        return arguments;
    }

    private static Map<String, Object> name(String what, int thread, String name) {
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("name", what);
        event.put("ph", "M");
        event.put("pid", PROCESS);
        event.put("tid", thread);
        event.put("args", Map.of("name", name));
        return event;
    }

    private static Map<String, Object> event(
            String name, String category, int thread, long start, long nanos, Map<String, Object> arguments) {
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("name", name);
        event.put("cat", category);
        event.put("ph", "X");
        event.put("ts", start / 1e3);
        event.put("dur", nanos / 1e3);
        event.put("pid", PROCESS);
        event.put("tid", thread);
        event.put("args", arguments);
        return event;
    }
}
