package org.quern.launcher;

import picocli.CommandLine.Command;

/// `quern bench`: how fast this machine is.
@Command(
        name = "bench",
        description =
                "Measures the CPU, a GPU, training, the kernels of a GPU, sums of several processes, restarts, or the corpus pipeline.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {
            BenchCpuCommand.class,
            BenchTrainCommand.class,
            BenchGpuCommand.class,
            BenchKernelsCommand.class,
            BenchCollectiveCommand.class,
            BenchCollectiveWorkerCommand.class,
            BenchRestartCommand.class,
            BenchCorpusCommand.class,
            BenchDuplicatesCommand.class,
            BenchExtractCommand.class
        })
final class BenchCommand {
    private BenchCommand() {}
}
