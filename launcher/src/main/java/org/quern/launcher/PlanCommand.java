package org.quern.launcher;

import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.config.RunConfig;
import org.quern.train.RunPlan;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/// `quern plan`: what a run needs, before it starts.
@Command(name = "plan", description = "Checks a configuration and says what its run needs.")
final class PlanCommand implements Callable<Integer> {
    @Mixin
    private ConfigArguments arguments;

    @Override
    public Integer call() {
        RunConfig config = arguments.read();
        RunPlan plan = RunPlan.of(config);
        System.out.println(plan);
        if (!plan.fits()) {
            System.out.println(plan.howToFit());
        }
        return ExitCode.OK.code();
    }
}
