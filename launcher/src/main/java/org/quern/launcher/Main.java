package org.quern.launcher;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.base.Version;
import org.quern.collective.CommunicatorException;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuFault;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.UnmatchedArgumentException;

/// The command line's entry: `quern VERB ...`.
@Command(
        name = "quern",
        description = "Trains language models end to end.",
        synopsisSubcommandLabel = "VERB",
        commandListHeading = "%nVerbs:%n",
        optionListHeading = "%nOptions:%n",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        usageHelpAutoWidth = true,
        versionProvider = Main.Versions.class,
        subcommands = {
            TrainCommand.class,
            GenerateCommand.class,
            PlanCommand.class,
            TokenizerCommand.class,
            CheckpointCommand.class,
            CorpusCommand.class,
            BenchCommand.class,
            KernelsCommand.class,
            BundleCommand.class,
            DoctorCommand.class,
            HealthCommand.class,
            DashboardCommand.class
        })
public final class Main {
    @Option(
            names = "--stacktrace",
            scope = ScopeType.INHERIT,
            description = "If something fails, show where in the program.")
    private boolean stacktrace;

    public static void main(String[] args) {
        Owner.watch();
        System.exit(run(args));
    }

    /// @return the exit code
    static int run(String... args) {
        Main main = new Main();
        CommandLine commandLine = new CommandLine(main);
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        commandLine.setParameterExceptionHandler(Main::misused);
        commandLine.setExecutionExceptionHandler((e, _, _) -> main.failed(e));
        commandLine.setExecutionStrategy(Main::execute);
        try {
            return commandLine.execute(args);
        } catch (Error e) {
            return main.failed(e); // picocli handles exceptions alone
        }
    }

    private static int execute(ParseResult parsed) {
        Integer helped = CommandLine.executeHelpRequest(parsed);
        if (helped != null) {
            return helped;
        }
        if (!parsed.hasSubcommand()) {
            parsed.commandSpec().commandLine().usage(System.err);
            return ExitCode.USAGE.code();
        }
        VectorModule.load();
        return new CommandLine.RunLast().execute(parsed);
    }

    private static int misused(ParameterException e, String[] args) {
        StringBuilder text = new StringBuilder(e.getMessage());
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.getSuggestions().isEmpty()) {
            text.append(" (did you mean ")
                    .append(String.join(" or ", unmatched.getSuggestions()))
                    .append("?)");
        }
        text.append("\nSee ")
                .append(e.getCommandLine().getCommandSpec().qualifiedName())
                .append(" --help");
        Terminal.error().print(text.toString());
        return ExitCode.USAGE.code();
    }

    private int failed(Throwable e) {
        // Picocli wraps what is no Exception.
        Throwable failure = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
        Terminal terminal = Terminal.error();
        terminal.status("");
        LoggerFactory.getLogger(Main.class).debug("failed", failure);
        if (stacktrace) {
            failure.printStackTrace();
        }
        return switch (failure) {
            case QuernException explained -> {
                terminal.print(explained.getMessage());
                yield explained.exitCode().code();
            }
            case GpuFault fault -> {
                terminal.print(fault.work().map(work -> work + ": ").orElse("") + fault.getMessage());
                yield ExitCode.RETRYABLE.code();
            }
            case GpuException gpu -> {
                terminal.print(gpu.getMessage());
                yield ExitCode.DO_NOT_RESTART.code();
            }
            case CommunicatorException workers -> {
                terminal.print(workers.getMessage());
                yield ExitCode.RETRYABLE.code();
            }
            case IOException _, UncheckedIOException _ -> {
                terminal.print("reading or writing failed: " + QuernException.reason(failure));
                yield ExitCode.IO.code();
            }
            case OutOfMemoryError memory -> {
                terminal.print("memory ran out: %s%nTry a smaller train.micro_batch, or fewer programs beside this one."
                        .formatted(memory.getMessage()));
                yield ExitCode.DO_NOT_RESTART.code();
            }
            default -> {
                terminal.print("This is a defect of Quern: " + failure);
                terminal.print(Logs.file()
                        .map(file -> "More about it is in " + file)
                        .orElse("The same command with --stacktrace shows more."));
                yield ExitCode.INTERNAL.code();
            }
        };
    }

    /// What `--version` prints.
    static final class Versions implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {
                "quern " + Version.current(),
                "%s %s".formatted(System.getProperty("java.vm.name"), System.getProperty("java.runtime.version")),
                "%s %s".formatted(System.getProperty("os.name"), System.getProperty("os.arch")),
            };
        }
    }
}
