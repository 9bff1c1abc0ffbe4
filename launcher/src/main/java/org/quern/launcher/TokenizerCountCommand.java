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
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern tokenizer count`.
@Command(
        name = "count",
        description = "Counts the words of texts, so that several machines can each count a part of what "
                + "`quern tokenizer train` then learns from.",
        showDefaultValues = true)
final class TokenizerCountCommand implements Callable<Integer> {
    private static final String SUFFIX = ".counts";

    @Parameters(
            paramLabel = "FILE",
            arity = "1..*",
            description = ".txt, .jsonl, and both with .gz; folders and patterns of these.")
    private List<Path> files = List.of();

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FILE",
            description = "The file to write; its name ends in " + SUFFIX + ".")
    private Path out;

    @Option(
            names = "--pattern",
            paramLabel = "NAME",
            description = "How text is cut into words: ${COMPLETION-CANDIDATES}; by default ${DEFAULT-VALUE}.")
    private SplitPattern pattern = SplitPattern.LLAMA3;

    @Option(names = "--threads", description = "Threads; by default all cores.")
    private int threads = Runtime.getRuntime().availableProcessors();

    static boolean isCounts(Path file) {
        return file.toString().endsWith(SUFFIX);
    }

    @Override
    public Integer call() {
        if (!isCounts(out)) {
            throw QuernException.data("--out %s: a file of word counts must end in %s".formatted(out, SUFFIX));
        }
        List<Path> texts = PathPatterns.files(files, CorpusReader.SUFFIXES);
        try (CorpusReader reader = new CorpusReader(texts)) {
            BpeTrainer.count(reader.texts(), pattern, threads, out, new TokenizerProgress(reader, texts));
        }
        Terminal.error().status("");
        System.out.println(out);
        return ExitCode.OK.code();
    }
}
