package org.quern.launcher.bench.gpu;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.StreamSupport;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.Timing;
import tools.jackson.databind.JsonNode;

/// A row of `quern bench kernels --json`, without what is wrong.
///
/// @param flop 0 where operations do not count
/// @param times of all who did it, by their names
/// @param refusals why somebody has no time
record TimedKernel(
        String name,
        String family,
        double flop,
        double bytes,
        Map<String, Timing> times,
        Map<String, String> refusals) {
    static TimedKernel of(JsonNode row) {
        Map<String, Timing> times = new LinkedHashMap<>();
        if (row.path("quern").isObject()) {
            times.put(KernelBenchmark.QUERN, timing(row.get("quern")));
        }
        row.path("others").forEachEntry((who, timing) -> times.put(who, timing(timing)));
        Map<String, String> refusals = new LinkedHashMap<>();
        row.path("refusals").forEachEntry((who, reason) -> refusals.put(who, reason.asString("")));
        return new TimedKernel(
                row.path("name").asString(""),
                row.path("family").asString(""),
                row.path("flop").asDouble(),
                row.path("bytes").asDouble(),
                times,
                refusals);
    }

    private static Timing timing(JsonNode timing) {
        List<Double> seconds = StreamSupport.stream(timing.path("seconds").spliterator(), false)
                .map(JsonNode::asDouble)
                .toList();
        return new Timing(seconds);
    }

    /// The same without the times of some.
    TimedKernel without(Predicate<String> who, String why) {
        Map<String, Timing> right = new LinkedHashMap<>(times);
        Map<String, String> reasons = new LinkedHashMap<>(refusals);
        right.keySet().removeIf(name -> {
            boolean out = who.test(name);
            if (out) {
                reasons.put(name, why);
            }
            return out;
        });
        return new TimedKernel(name, family, flop, bytes, right, reasons);
    }

    static boolean isOurs(String who) {
        return !who.startsWith("PyTorch") && !who.equals("cuBLAS");
    }

    static boolean isEightBits(String who) {
        return who.equals(KernelBenchmark.FP8);
    }

    /// The fastest of ours; floats of 8 bits compute something else.
    Optional<Entry<String, Timing>> ours() {
        return fastest(who -> isOurs(who) && !isEightBits(who));
    }

    Optional<Entry<String, Timing>> rival() {
        return fastest(who -> !isOurs(who));
    }

    private Optional<Entry<String, Timing>> fastest(Predicate<String> who) {
        return times.entrySet().stream()
                .filter(one -> who.test(one.getKey()))
                .min(Comparator.comparingDouble(one -> one.getValue().median()));
    }

    /// How many times as fast as the fastest of the others; empty if somebody has no time.
    Optional<Double> speed() {
        return ours().flatMap(ours ->
                rival().map(rival -> rival.getValue().median() / ours.getValue().median()));
    }

    /// Of ours.
    Optional<Double> flopPerSecond() {
        return ours().map(ours -> flop / ours.getValue().median());
    }

    Optional<Double> bytesPerSecond() {
        return ours().map(ours -> bytes / ours.getValue().median());
    }
}
