package org.quern.launcher;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.archive.FolderArchiver;
import org.quern.corpus.run.CorpusReport;
import org.quern.corpus.run.CorpusRun;
import org.quern.spark.SparkTasks;
import org.quern.store.StorePlace;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `quern corpus`: from web archives to texts and tokens.
@Command(
        name = "corpus",
        description = "Makes a corpus of web archives.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {
            CorpusCommand.Build.class,
            CorpusInspectCommand.class,
            CorpusClassifierCommand.class,
            CorpusCommand.Archive.class
        })
final class CorpusCommand {
    private CorpusCommand() {}

    /// `quern corpus build`.
    @Command(
            name = "build",
            description = {
                "Takes the pages of WARC, WET, Parquet and JSONL files through the stages of CONFIG: text out of HTML, languages,"
                        + " filters, duplicates. Writes Parquet, and tokens if CONFIG says so.",
                "The same command goes on where a stopped one was."
            })
    static final class Build implements Callable<Integer> {
        @Parameters(
                paramLabel = "CONFIG",
                description = "A YAML file; configs/corpus/fineweb.yaml is one to start from.")
        private Path file;

        @Option(names = "--run", required = true, paramLabel = "DIR", description = "The folder to build in.")
        private String run;

        @Option(
                names = "--set",
                paramLabel = "KEY=VALUE",
                description = "Changes a key of the configuration, such as shard_pages=1000. May be repeated.")
        private List<String> overrides = List.of();

        @Option(
                names = "--master",
                paramLabel = "MASTER",
                description = {
                    "Builds on the Apache Spark in SPARK_HOME: local[*], local-cluster[2,1,1024], spark://HOST:7077, yarn,"
                            + " k8s://... The run's folder, the inputs and the models must be where all its machines"
                            + " see them. The same bytes come of it."
                })
        private Optional<String> master = Optional.empty();

        @Spec
        private CommandSpec spec;

        @Override
        public Integer call() {
            if (StorePlace.isPlace(run)) {
                throw new QuernException(
                        ExitCode.USAGE,
                        "--run: expected a folder, got %s: build in a folder and copy its text/ and tokens/ there"
                                .formatted(run));
            }
            if (master.isPresent() && !SparkSubmit.isSubmitted()) {
                return SparkSubmit.run(
                        master.get(), spec.root().commandLine().getParseResult().originalArgs());
            }
            CorpusConfig config = ConfigReader.read(file, CorpusConfig.class, overrides);
            CorpusDisplay display = new CorpusDisplay(Terminal.error());
            CorpusReport report = master.isPresent()
                    ? onSpark(config, display)
                    : new CorpusRun(config, Path.of(run), display).build();
            display.end();
            System.out.print(CorpusDisplay.funnel(report));
            return ExitCode.OK.code();
        }

        private CorpusReport onSpark(CorpusConfig config, CorpusDisplay display) {
            try (SparkTasks tasks = SparkTasks.submitted()) {
                return new CorpusRun(config, Path.of(run), display, tasks).build();
            }
        }
    }

    /// `quern corpus archive`.
    @Command(
            name = "archive",
            description =
                    "Writes the HTML files of a folder as a WARC, as if a server of that folder had been crawled.")
    static final class Archive implements Callable<Integer> {
        @Parameters(paramLabel = "FOLDER", description = "With .html, .htm and .xhtml files, at any depth.")
        private Path folder;

        @Option(
                names = "--output",
                required = true,
                paramLabel = "FILE",
                description = "The .warc or .warc.gz to write.")
        private Path output;

        @Option(
                names = "--url",
                required = true,
                paramLabel = "URL",
                description = "What the folder is called on the web, such as https://example.org/docs/.")
        private String url;

        @Override
        public Integer call() {
            if (!output.toString().matches(".*\\.warc(\\.gz)?")) {
                throw new QuernException(
                        ExitCode.USAGE, "--output: expected a name ending in .warc or .warc.gz, got " + output);
            }
            int pages = FolderArchiver.archive(folder, address(), output);
            System.out.printf("%s: %,d pages%n", output, pages);
            return ExitCode.OK.code();
        }

        private URI address() {
            try {
                URI address = new URI(url.endsWith("/") ? url : url + "/");
                if (address.getHost() != null) {
                    return address;
                }
            } catch (URISyntaxException e) {
                // Told below.
            }
            throw new QuernException(
                    ExitCode.USAGE, "--url: expected one such as https://example.org/docs/, got " + url);
        }
    }
}
