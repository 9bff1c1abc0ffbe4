package org.quern.launcher;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.config.RunConfig;
import org.quern.train.Device;
import org.quern.train.KnownGpus;
import org.quern.train.MixturePlan;
import org.quern.train.RunPlan;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern plan`: what a run needs, before it starts.
@Command(name = "plan", description = "Checks a configuration and says what its run needs; runs and writes nothing.")
final class PlanCommand implements Callable<Integer> {
    @Mixin
    private ConfigArguments arguments;

    @Option(
            names = "--gpu",
            paramLabel = "GPU",
            completionCandidates = GpuNames.class,
            description =
                    "Plan for this GPU, which need not be here: ${COMPLETION-CANDIDATES}. By default for this machine.")
    private Optional<String> gpu = Optional.empty();

    @Option(
            names = "--gpus",
            paramLabel = "N",
            description = "How many of them share the sequences of a step, each with a whole model (data parallelism).")
    private int gpus = 1;

    @Option(
            names = "--scaling",
            description = "Print a model of weak scaling too: 8 to 1,024 GPUs, each with as many sequences as now.")
    private boolean scaling;

    @Option(names = "--price", paramLabel = "USD", description = "What a GPU costs an hour.")
    private Optional<Double> price = Optional.empty();

    @Option(names = "--json", description = "Print the plan as JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    /// The values of `--gpu`.
    static final class GpuNames implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return KnownGpus.names().iterator();
        }
    }

    @Override
    public Integer call() {
        Device device = device();
        RunConfig config = arguments.read();
        RunPlan plan = RunPlan.of(config, device, gpus);
        Optional<MixturePlan> mixture = Optional.of(config)
                .filter(each -> each.data().isMixture())
                .map(each -> MixturePlan.of(each, arguments.runFolder(each)));
        if (json) {
            Map<String, Object> values = values(plan, config.train().steps());
            mixture.ifPresent(each -> values.put("sources", sources(each)));
            System.out.println(Json.MAPPER.writeValueAsString(values));
        } else {
            System.out.println(plan);
            printWhole(plan, config);
            mixture.ifPresent(each -> {
                System.out.println(each);
                each.problems().forEach(System.out::println);
            });
        }
        return ExitCode.OK.code();
    }

    private Device device() {
        if (gpu.isEmpty() && (gpus != 1 || price.isPresent() || scaling)) {
            throw wrong("--gpus, --scaling and --price go with --gpu");
        }
        if (gpus < 1 || price.orElse(0.0) < 0) {
            throw wrong("--gpus must be at least 1 and --price at least 0: got %d and %s"
                    .formatted(gpus, price.orElse(0.0)));
        }
        return gpu.map(name -> KnownGpus.named(name)
                        .orElseThrow(() -> wrong("--gpu must be one of %s: got %s"
                                .formatted(String.join(", ", KnownGpus.names()), name))))
                .orElseGet(Device::thisMachine);
    }

    private ParameterException wrong(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    /// What all steps together take.
    private void printWhole(RunPlan plan, RunConfig config) {
        long steps = config.train().steps();
        double tokens = (double) plan.tokensPerStep() * steps;
        double flop = tokens * plan.flop().device();
        print(
                "steps",
                "%,d".formatted(steps),
                "%s tokens, %sFLOP in all".formatted(Units.count(tokens), Units.count(flop)));
        if (seconds(plan, steps).isPresent()) {
            String time = Units.duration(seconds(plan, steps).getAsDouble());
            print("time", time, "of all steps; evaluations, samples and checkpoints come on top");
            cost(plan, steps).ifPresent(cost -> print("cost", "%,.2f USD".formatted(cost), "at the price given"));
        } else {
            int threads = config.run().threads().orElse(Runtime.getRuntime().availableProcessors());
            double speed = MatrixSpeed.measure(threads);
            print(
                    "time",
                    Units.duration(flop / speed),
                    "if all of it ran as fast as the matrix product here: %sFLOP/s".formatted(Units.count(speed)));
        }
        if (scaling) {
            printScaling(plan);
        }
        if (!plan.fits()) {
            System.out.println(plan.howToFit());
        }
    }

    private static void printScaling(RunPlan plan) {
        double tokens = (double) plan.tokensPerStep() / plan.devices();
        System.out.println("weak scaling, a model from published bandwidths and estimates, not measured:");
        System.out.printf(
                Locale.ROOT, "%7s %16s %12s %14s %12s%n", "GPUs", "tokens/s", "a step", "gradient sums", "efficiency");
        for (int devices = 8; devices <= 1024; devices *= 2) {
            RunPlan.Scaled scaled = plan.scaledTo(devices).orElseThrow();
            System.out.printf(
                    Locale.ROOT,
                    "%,7d %,16.0f %9.1f ms %11.1f ms %10.1f %%%n",
                    devices,
                    devices * tokens / scaled.seconds(),
                    1000 * scaled.seconds(),
                    1000 * scaled.reducing(),
                    100 * scaled.efficiency());
        }
    }

    private static void print(String name, String value, String note) {
        System.out.printf(Locale.ROOT, "%-16s %17s   %s%n", name, value, note);
    }

    private static OptionalDouble seconds(RunPlan plan, long steps) {
        return plan.expected().stream()
                .mapToDouble(step -> steps * step.seconds())
                .findFirst();
    }

    private OptionalDouble cost(RunPlan plan, long steps) {
        OptionalDouble seconds = seconds(plan, steps);
        return price.isEmpty() || seconds.isEmpty()
                ? OptionalDouble.empty()
                : OptionalDouble.of(seconds.getAsDouble() / 3600 * plan.devices() * price.get());
    }

    private static List<Map<String, Object>> sources(MixturePlan mixture) {
        List<Map<String, Object>> sources = new ArrayList<>();
        for (MixturePlan.Row row : mixture.rows()) {
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("name", row.name());
            row.tokens().ifPresent(tokens -> values.put("tokens", tokens));
            values.put("first_share", row.firstShare());
            values.put("last_share", row.lastShare());
            values.put("tokens_taken", row.tokensTaken());
            row.epochs().ifPresent(epochs -> values.put("epochs", epochs));
            row.maxEpochs().ifPresent(most -> values.put("max_epochs", most));
            sources.add(values);
        }
        return sources;
    }

    private Map<String, Object> values(RunPlan plan, long steps) {
        double tokens = (double) plan.tokensPerStep() * steps;
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("device", plan.device().name());
        values.put("devices", plan.devices());
        values.put("parameters", plan.parameters());
        values.put("micro_batch", plan.microBatch());
        values.put("micro_batches", plan.microBatches());
        values.put("recompute", plan.recompute().name().toLowerCase(Locale.ROOT));
        values.put("weight_bytes", plan.memory().weights());
        values.put("working_copy_bytes", plan.memory().workingCopies());
        values.put("gradient_bytes", plan.memory().gradients());
        values.put("sum_bytes", plan.memory().sums());
        values.put("optimizer_bytes", plan.memory().optimizer());
        values.put("checkpoint_bytes", plan.memory().checkpoint());
        values.put("activation_bytes", plan.memory().activations());
        values.put("workspace_bytes", plan.memory().workspace());
        values.put("cache_bytes", plan.memory().caches());
        values.put("total_bytes", plan.memory().total());
        values.put("device_bytes", plan.device().memoryBytes());
        values.put("fits", plan.fits());
        values.put("remedies", plan.remedies());
        values.put("steps", steps);
        values.put("tokens_per_step", plan.tokensPerStep());
        values.put("tokens", tokens);
        values.put("flop", tokens * plan.flop().device());
        values.put("model_flop_per_token", plan.flop().model());
        values.put("flop_per_token", plan.flop().device());
        values.put("recomputed_flop_per_token", plan.flop().recomputed());
        plan.tokensPerSecond().ifPresent(speed -> values.put("expected_tokens_per_second", speed));
        plan.utilization().ifPresent(share -> values.put("expected_utilization", share));
        seconds(plan, steps).ifPresent(seconds -> values.put("expected_seconds", seconds));
        cost(plan, steps).ifPresent(cost -> values.put("expected_cost", cost));
        return values;
    }
}
