package org.quern.launcher;

import picocli.CommandLine.Command;

/// `quern tokenizer`: work with tokenizers alone.
@Command(
        name = "tokenizer",
        description = "Trains tokenizers, and shows what they make of text.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {
            TokenizerTrainCommand.class,
            TokenizerCountCommand.class,
            TokenizerEncodeCommand.class,
            TokenizerViewCommand.class,
            TokenizerReportCommand.class
        })
final class TokenizerCommand {
    private TokenizerCommand() {}
}
