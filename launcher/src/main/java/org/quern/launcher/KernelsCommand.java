package org.quern.launcher;

import picocli.CommandLine.Command;

/// `quern kernels`: work with the GPU's kernels alone.
@Command(
        name = "kernels",
        description = "Shows, proves and tunes the GPU's kernels, and runs any without a GPU.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {
            KernelsListCommand.class,
            KernelsPrintCommand.class,
            KernelsTableCommand.class,
            KernelsEmulateCommand.class,
            KernelsCheckCommand.class,
            KernelsTuneCommand.class,
            CheckWorkerCommand.class
        })
final class KernelsCommand {
    private KernelsCommand() {}
}
