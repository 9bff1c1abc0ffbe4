package org.quern.launcher;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.data.CorpusReader;
import org.quern.data.PathPatterns;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.SplitPattern;
import org.quern.tokenizer.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern tokenizer train`.
@Command(
        name = "train",
        description = {
            "Learns a byte-level BPE vocabulary from texts.",
            "Counts that need more than a quarter of the heap go to temporary files. Only if the different words alone "
                    + "need more than half of it are the rarest left out, with a warning; JAVA_TOOL_OPTIONS=-Xmx8g makes "
                    + "the heap larger."
        },
        showDefaultValues = true)
final class TokenizerTrainCommand implements Callable<Integer> {
    @Parameters(
            paramLabel = "FILE",
            arity = "1..*",
            description =
                    ".txt, .jsonl, and both with .gz; folders and patterns of these; or files of `quern tokenizer count`.")
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
            description = "How text is cut into words first: ${COMPLETION-CANDIDATES}; by default ${DEFAULT-VALUE}.")
    private SplitPattern pattern = SplitPattern.LLAMA3;

    @Option(
            names = "--special",
            paramLabel = "TOKEN",
            description = "A special token; by default <|endoftext|>. May be repeated.")
    private List<String> special = List.of("<|endoftext|>");

    @Option(names = "--threads", description = "Threads that count words; by default all cores.")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Override
    public Integer call() {
        BpeTrainer trainer = new BpeTrainer(pattern, vocabSize, special, threads);
        Tokenizer tokenizer;
        List<Path> counts =
                files.stream().filter(TokenizerCountCommand::isCounts).toList();
        if (counts.isEmpty()) {
            List<Path> texts = PathPatterns.files(files, CorpusReader.SUFFIXES);
            try (CorpusReader reader = new CorpusReader(texts)) {
                tokenizer = trainer.train(reader.texts(), new TokenizerProgress(reader, texts));
            }
        } else if (counts.size() == files.size()) {
            tokenizer = trainer.trainOnCounts(files, new TokenizerProgress());
        } else {
            throw QuernException.data("word counts and texts cannot be trained on together: count the words of %s first"
                    .formatted(files.stream().filter(f -> !counts.contains(f)).toList()));
        }
        Terminal.error().status("");
        tokenizer.write(out);
        System.out.printf("%s: %,d tokens%n", out, tokenizer.vocabSize());
        return ExitCode.OK.code();
    }
}
