package org.quern.launcher;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// Starts a command of Quern again by the `spark-submit` of the Spark that the user has.
final class SparkSubmit {
    /// What Quern needs, whose classes Spark loads from its own class path. Spark itself opens what Spark needs.
    private static final String FLAGS = String.join(
            " ",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "--add-exports=java.base/jdk.internal.module=ALL-UNNAMED",
            "-Duser.language=en",
            "-Duser.country=US");

    private SparkSubmit() {}

    /// Whether this process is one that `spark-submit` has started.
    static boolean isSubmitted() {
        return System.getProperty("spark.master") != null;
    }

    /// Runs the command to its end.
    ///
    /// @return its exit code
    static int run(String master, List<String> arguments) {
        Path program = program();
        List<Path> jars = jars();
        List<String> command = new ArrayList<>(List.of(
                program.toString(), "--master", master, "--class", Main.class.getName(), "--name", "quern corpus"));
        command.addAll(List.of("--driver-java-options", FLAGS, "--conf", "spark.executor.defaultJavaOptions=" + FLAGS));
        command.addAll(
                List.of("--jars", jars.stream().skip(1).map(Path::toString).collect(Collectors.joining(","))));
        command.add(jars.getFirst().toString());
        command.addAll(arguments);
        try {
            ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
            builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
            Process process = builder.start();
            Thread end = new Thread(process::destroy);
            Runtime.getRuntime().addShutdownHook(end);
            int exitCode = process.waitFor();
            Runtime.getRuntime().removeShutdownHook(end);
            return exitCode;
        } catch (IOException e) {
            throw QuernException.io(program + " cannot be started", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(ExitCode.PREEMPTED, "stopped: the same command goes on from here", e);
        }
    }

    private static Path program() {
        String home = Optional.ofNullable(System.getenv("SPARK_HOME")).orElse("");
        Path program = Path.of(home, "bin", "spark-submit");
        if (home.isEmpty() || !Files.isExecutable(program)) {
            throw new QuernException(
                    ExitCode.DO_NOT_RESTART,
                    "--master needs Apache Spark 4.2, which is no part of Quern: %s. Unpack it from spark.apache.org and"
                                    .formatted(
                                            home.isEmpty()
                                                    ? "SPARK_HOME is not set"
                                                    : "SPARK_HOME is %s, which has no bin/spark-submit".formatted(home))
                            + " export SPARK_HOME=/its/folder; without --master this machine's threads do the same work");
        }
        return program;
    }

    /// This program's, and all that it needs.
    private static List<Path> jars() {
        try {
            Path own = Path.of(SparkSubmit.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            try (Stream<Path> lib = Files.list(own.resolveSibling("lib"))) {
                return Stream.concat(
                                Stream.of(own),
                                lib.filter(jar -> jar.toString().endsWith(".jar"))
                                        .sorted())
                        .toList();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }
}
