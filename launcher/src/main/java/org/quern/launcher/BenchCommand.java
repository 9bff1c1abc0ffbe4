package org.quern.launcher;

import picocli.CommandLine.Command;

/// `quern bench`: how fast this machine is.
@Command(
        name = "bench",
        description = "Measures the CPU, or the kernels of a GPU.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {BenchCpuCommand.class, BenchKernelsCommand.class})
final class BenchCommand {
    private BenchCommand() {}
}
