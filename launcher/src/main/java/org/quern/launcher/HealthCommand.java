package org.quern.launcher;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern health`: whether training goes on, for the health checks of containers.
@Command(
        name = "health",
        description = {
            "Says whether training goes on: whether a run wrote anything into its folder of late.",
            "Ends with exit code 0 if so, and with 76 if not."
        })
final class HealthCommand implements Callable<Integer> {
    @Parameters(
            arity = "0..1",
            paramLabel = "RUN",
            description = "The run's folder; by default any run below this folder: runs/NAME, or NAME.")
    private Optional<Path> run = Optional.empty();

    @Option(
            names = "--max-age",
            paramLabel = "SECONDS",
            description = "How old the newest change may be; ${DEFAULT-VALUE} by default.")
    private long maxAge = 900;

    @Override
    public Integer call() {
        Path folder = run.orElse(Path.of(""));
        Instant newest = run.isPresent() ? newestChange(folder) : newestOfRuns();
        Duration age = Duration.between(newest, Instant.now());
        String words = "the newest change of %s was %s ago"
                .formatted(
                        run.map(Path::toString).orElse("any run"),
                        Units.duration(Math.max(0, age.toMillis() / 1000.0)));
        if (age.toSeconds() > maxAge) {
            throw unhealthy("%s: that is more than --max-age %d s".formatted(words, maxAge));
        }
        System.out.println(words);
        return ExitCode.OK.code();
    }

    private static Instant newestOfRuns() {
        try (Stream<Path> folders = Files.walk(Path.of(""), 2)) {
            return folders.filter(folder -> Files.isDirectory(folder.resolve("logs")))
                    .map(HealthCommand::newestChange)
                    .max(Instant::compareTo)
                    .orElseThrow(() -> unhealthy(
                            "there is no run in %s".formatted(Path.of("").toAbsolutePath())));
        } catch (IOException | UncheckedIOException e) {
            throw unhealthy("the runs could not be read: " + e.getMessage());
        }
    }

    private static Instant newestChange(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw unhealthy("%s is no run's folder".formatted(folder));
        }
        try (Stream<Path> files = Files.walk(folder)) {
            return files.map(HealthCommand::changed)
                    .flatMap(Optional::stream)
                    .max(Instant::compareTo)
                    .orElseThrow();
        } catch (IOException | UncheckedIOException e) {
            throw unhealthy("%s could not be read: %s".formatted(folder, e.getMessage()));
        }
    }

    /// Empty for a file that was removed meanwhile.
    private static Optional<Instant> changed(Path file) {
        try {
            return Optional.of(Files.getLastModifiedTime(file).toInstant());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static QuernException unhealthy(String message) {
        return new QuernException(ExitCode.RETRYABLE, message);
    }
}
