package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.corpus.bench.DuplicateBench;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/// `quern bench duplicates`: which near copies are found.
@Command(
        name = "duplicates",
        description = {
            "Plants a near copy of each document, at several rates of edits, and says which are found.",
            "Beside the recall is what theory expects of 14 buckets of 8 hashes for the same similarities."
        })
final class BenchDuplicatesCommand implements Callable<Integer> {
    @Mixin
    private TextOption text;

    @Override
    public Integer call() throws IOException {
        String documents = text.read();
        Path folder = Files.createTempDirectory("quern-duplicates");
        try {
            List<DuplicateBench.Found> rows = DuplicateBench.measure(documents, folder);
            System.out.printf(
                    "%-15s %9s %10s %8s %8s %9s%n",
                    "edits per word", "documents", "similarity", "recall", "theory", "precision");
            for (DuplicateBench.Found found : rows) {
                System.out.printf(
                        "%-15s %,9d %10.3f %8.4f %8.4f %9s%n",
                        found.editRate(),
                        found.documents(),
                        found.similarity(),
                        found.recall(),
                        found.theory(),
                        Double.isNaN(found.precision()) ? "-" : "%.4f".formatted(found.precision()));
            }
        } finally {
            Folders.delete(folder);
        }
        return ExitCode.OK.code();
    }
}
