package org.quern.launcher;

import java.nio.file.Path;
import java.util.List;
import org.quern.launcher.tokenizer.NamedTokenizer;
import picocli.CommandLine.Option;

/// `--tokenizer` of the verbs that compare several.
final class TokenizerOption {
    @Option(
            names = {"-t", "--tokenizer"},
            required = true,
            paramLabel = "TOKENIZER",
            description = "A tokenizer.json, a folder that has one, or a rank file of tiktoken. May be repeated.")
    private List<Path> places = List.of();

    List<NamedTokenizer> open() {
        return NamedTokenizer.open(places);
    }
}
