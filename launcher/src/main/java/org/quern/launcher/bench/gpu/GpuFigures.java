package org.quern.launcher.bench.gpu;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.quern.kernels.bench.Ceilings;
import org.quern.kernels.bench.KernelBenchmark;
import tools.jackson.databind.JsonNode;

/// What a journal has, and what of it counts: times of kernels that are wrong do not.
final class GpuFigures {
    /// Families of the check.
    static final String FP8 = "fp8";

    static final String FUSED = "fused attention gradient";
    /// What the names of those of warpgroups begin with.
    static final String WARPGROUP = "warpgroup ";

    private static final String PROBE = "probe";
    private static final String WARPGROUP_PROBE = WARPGROUP + PROBE;
    private static final String MATMUL = "matmul";
    private static final String ATTENTION = "attention";

    /// As kernels are called where they are timed, by what tunes them.
    private static final Map<String, String> WAYS =
            Map.of("PTX", KernelBenchmark.QUERN, "WARPGROUPS", KernelBenchmark.WGMMA, "FP8", KernelBenchmark.FP8);

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
                .filter(GpuFigures::isWrong)
                .map(line -> new Wrong(
                        line.path("family").asString(""),
                        line.path("name").asString(""),
                        line.path("message").asString("")))
                .toList();
    }

    /// One a case, also where the check was begun twice; what was wrong once is wrong.
    private Collection<JsonNode> outcomes() {
        Map<String, JsonNode> outcomes = new LinkedHashMap<>();
        for (JsonNode line : journal.lines(Stage.CHECK)) {
            if (line.has("status")) {
                outcomes.merge(line.path("name").asString(""), line, (old, next) -> isWrong(old) ? old : next);
            }
        }
        return outcomes.values();
    }

    private static boolean isWrong(JsonNode outcome) {
        return Set.of("FAILED", "FAULT").contains(status(outcome));
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
            families.addAll(List.of(WARPGROUP + MATMUL, WARPGROUP + ATTENTION, FUSED, FP8));
        }
        return families;
    }

    /// Whether single instructions do what all kernels count on.
    boolean probesAreRight() {
        return right() > 0 && !wrongFamilies().contains(PROBE);
    }

    boolean isRight(String family) {
        return !wrongFamilies().contains(family);
    }

    boolean warpgroupsAreRight() {
        return wrongFamilies().stream().noneMatch(family -> family.startsWith(WARPGROUP));
    }

    /// Whether the device's table keeps training from the fused gradient of attention.
    boolean goesWithoutFused() {
        return tuned().filter(GpuFigures::isGradient)
                .reduce((_, next) -> next)
                .filter(line -> line.at("/best/gradient").asString("").equals("TWO_KERNELS"))
                .isPresent();
    }

    private Stream<JsonNode> tuned() {
        return journal.lines(Stage.TUNE).stream();
    }

    private static boolean isGradient(JsonNode tuned) {
        return tuned.path("product").asString("").startsWith(ATTENTION);
    }

    /// Ways of ours that are wrong in some family: what times the family leaves them out, and all that begin so.
    Set<String> wrongWays(String family) {
        Set<String> wrong = wrongFamilies();
        Set<String> ways = new LinkedHashSet<>();
        if (wrong.contains(family)) {
            ways.add(KernelBenchmark.QUERN);
        }
        if (wrong.contains(WARPGROUP + family)) {
            ways.add(KernelBenchmark.WGMMA);
        }
        if (family.equals(ATTENTION) && wrong.contains(FUSED)) {
            ways.add(KernelBenchmark.WGMMA_FUSED);
        }
        if (family.equals(MATMUL) && wrong.contains(FP8)) {
            ways.add(KernelBenchmark.FP8);
        }
        return ways;
    }

    /// The rows of a stage, in the order in which they were measured; of one that was measured again, the last.
    Collection<TimedKernel> kernels(Stage stage) {
        Map<String, TimedKernel> kernels = new LinkedHashMap<>();
        List<WrongPlans> plans = tuned().flatMap(GpuFigures::wrongPlans).toList();
        for (JsonNode line : journal.lines(stage)) {
            if (line.has("name")) {
                TimedKernel kernel = TimedKernel.of(line);
                Set<String> wrong = wrongWays(kernel.family());
                kernel = kernel.without(who -> wrong.stream().anyMatch(who::startsWith), "is wrong in the check");
                for (WrongPlans plan : plans) {
                    if (kernel.name().contains(plan.sizes())) {
                        kernel = kernel.without(plan.way()::equals, plan.reason());
                    }
                }
                kernels.put(kernel.name(), kernel);
            }
        }
        return kernels.values();
    }

    /// Sizes for which kernels did not give the right result, whatever the plan.
    ///
    /// @param way the kernels, as they are called where they are timed
    /// @param sizes a part of the names of rows
    private record WrongPlans(String way, String sizes, String reason) {}

    private static Stream<WrongPlans> wrongPlans(JsonNode tuned) {
        JsonNode refusals = tuned.path("refusals");
        String sizes = tuned.path("sizes").asString("");
        if (isGradient(tuned)) {
            return refusals.propertyStream()
                    .map(refusal -> new WrongPlans(
                            refusal.getKey().equals("fused") ? KernelBenchmark.WGMMA_FUSED : KernelBenchmark.WGMMA,
                            "attention backward " + sizes,
                            refusal.getValue().asString("")));
        }
        return tuned.path("best").isObject()
                ? Stream.empty()
                : Stream.of(new WrongPlans(
                        WAYS.get(tuned.path("provider").asString("")), sizes, "no plan is right: " + refusals));
    }

    /// Plans that were left out, by the reason.
    Map<String, List<String>> refusedPlans() {
        Map<String, List<String>> refused = new LinkedHashMap<>();
        tuned().forEach(line -> line.path("refusals")
                .forEachEntry((plan, reason) -> refused.computeIfAbsent(reason.asString(""), _ -> new ArrayList<>())
                        .add("%s of %s".formatted(plan, line.path("product").asString("")))));
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
