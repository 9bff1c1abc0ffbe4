package org.quern.launcher.bench.gpu;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.quern.kernels.bench.Ceilings;
import tools.jackson.databind.JsonNode;

/// What a journal has, and what of it counts: times of kernels that are wrong do not.
final class GpuFigures {
    private static final String PROBE = "probe";
    private static final String WARPGROUP = "warpgroup ";
    private static final String WARPGROUP_PROBE = WARPGROUP + PROBE;
    private static final String FP8 = "fp8";
    private static final String MATMUL = "matmul";
    private static final String WGMMA = "wgmma";

    private final Journal journal;

    GpuFigures(Journal journal) {
        this.journal = journal;
    }

    /// A case of the check that is not right.
    record Wrong(String family, String name, String message) {}

    /// Who trained, how fast.
    ///
    /// @param tokensPerSecond the median; 0 if it failed
    record Trained(String who, double tokensPerSecond, double least, double most, String memory, String error) {}

    List<Wrong> wrong() {
        return outcomes().stream()
                .filter(line -> Set.of("FAILED", "FAULT").contains(status(line)))
                .map(line -> new Wrong(
                        line.path("family").asString(""),
                        line.path("name").asString(""),
                        line.path("message").asString("")))
                .toList();
    }

    private List<JsonNode> outcomes() {
        return journal.lines(Stage.CHECK).stream()
                .filter(line -> line.has("status"))
                .toList();
    }

    private static String status(JsonNode outcome) {
        return outcome.path("status").asString("");
    }

    long right() {
        return outcomes().stream().filter(line -> status(line).equals("OK")).count();
    }

    /// Families with a case that is not right, and those that are built on them.
    Set<String> wrongFamilies() {
        Set<String> families = new LinkedHashSet<>();
        wrong().forEach(one -> families.add(one.family()));
        if (families.contains(WARPGROUP_PROBE)) {
            families.addAll(List.of(WARPGROUP + MATMUL, WARPGROUP + "attention", FP8));
        }
        return families;
    }

    /// Whether single instructions do what all kernels count on.
    boolean probesAreRight() {
        return right() > 0 && !wrongFamilies().contains(PROBE);
    }

    /// Ways of ours that are wrong in some family: what times all families leaves them out.
    Set<String> wrongWays(String family) {
        Set<String> wrong = wrongFamilies();
        Set<String> ways = new LinkedHashSet<>();
        if (wrong.contains(family)) {
            ways.add(TimedKernel.QUERN);
        }
        if (wrong.contains(WARPGROUP + family)) {
            ways.add(WGMMA);
        }
        if (family.equals(MATMUL) && wrong.contains(FP8)) {
            ways.add(FP8);
        }
        return ways;
    }

    /// The rows of a stage, in the order in which they were measured; of one that was measured again, the last.
    Collection<TimedKernel> kernels(Stage stage) {
        Map<String, TimedKernel> kernels = new LinkedHashMap<>();
        List<WrongPlans> plans = wrongPlans();
        for (JsonNode line : journal.lines(stage)) {
            if (line.has("name")) {
                TimedKernel kernel = TimedKernel.of(line);
                Set<String> wrong = wrongWays(kernel.family());
                kernel = kernel.without(who -> wrong.stream().anyMatch(who::startsWith), "is wrong in the check");
                for (WrongPlans plan : plans) {
                    if (kernel.name().contains(plan.sizes())) {
                        kernel = kernel.without(who -> who.startsWith(plan.way()), plan.reason());
                    }
                }
                kernels.put(kernel.name(), kernel);
            }
        }
        return kernels.values();
    }

    /// Sizes of which no plan gave the right result.
    ///
    /// @param way the kernels, as they are called where they are timed
    private record WrongPlans(String way, String sizes, String reason) {}

    private List<WrongPlans> wrongPlans() {
        Map<String, String> ways = Map.of("PTX", TimedKernel.QUERN, "WARPGROUPS", WGMMA, "FP8", FP8);
        return journal.lines(Stage.TUNE).stream()
                .filter(line -> !line.path("best").isObject())
                .map(line -> new WrongPlans(
                        ways.get(line.path("provider").asString("")),
                        line.path("sizes").asString(""),
                        "no plan is right: " + line.path("refusals")))
                .toList();
    }

    /// Plans that were left out, by the reason.
    Map<String, List<String>> refusedPlans() {
        Map<String, List<String>> refused = new LinkedHashMap<>();
        for (JsonNode line : journal.lines(Stage.TUNE)) {
            line.path("refusals")
                    .forEachEntry((plan, reason) -> refused.computeIfAbsent(reason.asString(""), _ -> new ArrayList<>())
                            .add("%s of %s".formatted(plan, line.path("product").asString(""))));
        }
        return refused;
    }

    /// As measured when the stage began last.
    Optional<Ceilings> ceilings(Stage stage) {
        return last(stage, "ceilings")
                .map(ceilings -> new Ceilings(
                        ceilings.path("bytes_per_second").asDouble(),
                        ceilings.path("flop_per_second").asDouble(),
                        ceilings.path("product").asString("")));
    }

    /// Of a line that has it.
    Optional<JsonNode> last(Stage stage, String key) {
        return journal.lines(stage).stream()
                .filter(line -> line.hasNonNull(key))
                .map(line -> line.get(key))
                .reduce((_, next) -> next);
    }

    List<Trained> trained(Stage stage) {
        return journal.lines(stage).stream()
                .filter(line -> line.has("who"))
                .map(GpuFigures::trained)
                .toList();
    }

    private static Trained trained(JsonNode line) {
        JsonNode speed = line.path("tokens_per_second");
        return new Trained(
                line.path("who").asString(""),
                speed.path("median").asDouble(0),
                speed.path("min").asDouble(0),
                speed.path("max").asDouble(0),
                line.path("memory_bytes").asLong(0) == 0
                        ? ""
                        : "%.1f GiB".formatted(line.path("memory_bytes").asLong() / (double) (1 << 30)),
                line.path("error").asString(""));
    }
}
