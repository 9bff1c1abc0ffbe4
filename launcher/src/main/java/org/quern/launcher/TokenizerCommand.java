package org.quern.launcher;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.data.CorpusReader;
import org.quern.data.PathPatterns;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.SplitPattern;
import org.quern.tokenizer.TokenBuffer;
import org.quern.tokenizer.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern tokenizer`: work with tokenizers alone.
@Command(
        name = "tokenizer",
        description = "Trains a tokenizer, or shows what one makes of a text.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {TokenizerCommand.Train.class, TokenizerCommand.Encode.class})
final class TokenizerCommand {
    private TokenizerCommand() {}

    /// `quern tokenizer train`.
    @Command(name = "train", description = "Learns a byte-level BPE vocabulary from texts.", showDefaultValues = true)
    static final class Train implements Callable<Integer> {
        @Parameters(
                paramLabel = "FILE",
                arity = "1..*",
                description = ".txt, .jsonl, and both with .gz; folders and patterns of these.")
        private List<Path> files = List.of();

        @Option(
                names = "--vocab-size",
                required = true,
                paramLabel = "N",
                description = "How many tokens: 256 bytes, the special tokens, and the merges.")
        private int vocabSize;

        @Option(names = "--out", required = true, paramLabel = "FILE", description = "The tokenizer.json to write.")
        private Path out;

        @Option(
                names = "--pattern",
                paramLabel = "NAME",
                description =
                        "How text is cut into words first: ${COMPLETION-CANDIDATES}; by default ${DEFAULT-VALUE}.")
        private SplitPattern pattern = SplitPattern.LLAMA3;

        @Option(
                names = "--special",
                paramLabel = "TOKEN",
                description = "A special token; by default <|endoftext|>. May be repeated.")
        private List<String> special = List.of("<|endoftext|>");

        @Override
        public Integer call() throws IOException {
            Terminal terminal = Terminal.error();
            BpeTrainer trainer = new BpeTrainer(
                    pattern, vocabSize, special, Runtime.getRuntime().availableProcessors());
            terminal.status("counting words");
            Tokenizer tokenizer;
            try (CorpusReader reader = new CorpusReader(PathPatterns.files(files, CorpusReader.SUFFIXES))) {
                tokenizer = trainer.train(
                        reader.texts(), (done, all) -> terminal.status("merge %,d of %,d".formatted(done, all)));
            }
            terminal.status("");
            tokenizer.write(out);
            System.out.printf("%s: %,d tokens%n", out, tokenizer.vocabSize());
            return ExitCode.OK.code();
        }
    }

    /// `quern tokenizer encode`.
    @Command(
            name = "encode",
            description = "Prints the ids of a text. The names of special tokens in it are text like any other.")
    static final class Encode implements Callable<Integer> {
        @Parameters(paramLabel = "TOKENIZER", description = "A tokenizer.json, or a folder that has one.")
        private Path place;

        @Option(names = "--text", paramLabel = "TEXT", description = "The text; by default standard input.")
        private Optional<String> text = Optional.empty();

        @Option(names = "--json", description = "Print the ids and their texts as JSON.")
        private boolean json;

        @Override
        public Integer call() throws IOException {
            Path inFolder = place.resolve("tokenizer.json");
            Tokenizer tokenizer = Tokenizer.read(Files.exists(inFolder) ? inFolder : place);
            byte[] utf8 = text.isPresent() ? text.get().getBytes(StandardCharsets.UTF_8) : System.in.readAllBytes();
            TokenBuffer buffer = new TokenBuffer();
            tokenizer.encoder().encode(utf8, 0, utf8.length, buffer);
            int[] ids = buffer.toArray();
            if (json) {
                List<String> texts = new ArrayList<>();
                for (int id : ids) {
                    texts.add(tokenizer.decode(id));
                }
                Map<String, Object> values = new LinkedHashMap<>();
                values.put("ids", ids);
                values.put("texts", texts);
                System.out.println(Json.MAPPER.writeValueAsString(values));
            } else {
                System.out.println(
                        Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
            }
            return ExitCode.OK.code();
        }
    }
}
