package org.quern.launcher;

import picocli.CommandLine.Command;

/// `quern tokenizer`: work with tokenizers alone.
@Command(
        name = "tokenizer",
        description = "Trains a tokenizer, or shows what one makes of a text.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {TokenizerTrainCommand.class, TokenizerCountCommand.class, TokenizerEncodeCommand.class})
final class TokenizerCommand {
    private TokenizerCommand() {}
}
