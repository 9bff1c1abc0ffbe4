package org.quern.launcher;

import picocli.CommandLine.Command;

/// `quern bench`: how fast this machine is.
@Command(
        name = "bench",
        description = "Measures the CPU, the kernels of a GPU, or sums of several processes.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {
            BenchCpuCommand.class,
            BenchKernelsCommand.class,
            BenchCollectiveCommand.class,
            BenchCollectiveWorkerCommand.class
        })
final class BenchCommand {
    private BenchCommand() {}
}
