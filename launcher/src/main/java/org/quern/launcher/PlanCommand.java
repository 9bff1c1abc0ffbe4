package org.quern.launcher;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.config.RunConfig;
import org.quern.train.Device;
import org.quern.train.RunPlan;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `quern plan`: what a run needs, before it starts.
@Command(name = "plan", description = "Checks a configuration and says what its run needs; runs and writes nothing.")
final class PlanCommand implements Callable<Integer> {
    @Mixin
    private ConfigArguments arguments;

    @Option(names = "--json", description = "Print the plan as JSON.")
    private boolean json;

    @Override
    public Integer call() {
        RunConfig config = arguments.read();
        RunPlan plan = RunPlan.of(config, Device.thisMachine());
        long steps = config.train().steps();
        double tokens = (double) plan.tokensPerStep() * steps;
        double flop = tokens * plan.flopPerToken();
        if (json) {
            System.out.println(Json.MAPPER.writeValueAsString(values(plan, steps, tokens, flop)));
        } else {
            System.out.println(plan);
            System.out.printf(
                    "steps            %,17d   %s tokens, %sFLOP in all%n",
                    steps, Units.count(tokens), Units.count(flop));
            int threads = config.run().threads().orElse(Runtime.getRuntime().availableProcessors());
            double speed = MatrixSpeed.measure(threads);
            System.out.printf(
                    "time             %17s   if all of it ran as fast as the matrix product here: %sFLOP/s%n",
                    Units.duration(flop / speed), Units.count(speed));
            if (!plan.fits()) {
                System.out.println(plan.howToFit());
            }
        }
        return ExitCode.OK.code();
    }

    private static Map<String, Object> values(RunPlan plan, long steps, double tokens, double flop) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("parameters", plan.parameters());
        values.put("micro_batch", plan.microBatch());
        values.put("recompute", plan.recompute().name().toLowerCase(Locale.ROOT));
        values.put("weight_bytes", plan.memory().weights());
        values.put("gradient_bytes", plan.memory().gradients());
        values.put("optimizer_bytes", plan.memory().optimizer());
        values.put("activation_bytes", plan.memory().activations());
        values.put("cache_bytes", plan.memory().caches());
        values.put("total_bytes", plan.memory().total());
        values.put("machine_bytes", plan.device().memoryBytes());
        values.put("fits", plan.fits());
        values.put("steps", steps);
        values.put("tokens_per_step", plan.tokensPerStep());
        values.put("tokens", tokens);
        values.put("flop", flop);
        return values;
    }
}
