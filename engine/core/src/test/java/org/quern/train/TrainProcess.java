package org.quern.train;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.quern.config.ConfigReader;
import org.quern.config.RunConfig;

/// A training run in a process of its own, which a test can kill.
final class TrainProcess {
    private TrainProcess() {}

    /// Starts it.
    ///
    /// @param config the file
    /// @param output what it prints goes there
    static Process start(Path config, Path run, File output, String... overrides) throws IOException {
        return start(List.of(), config, run, output, overrides);
    }

    /// @param flags of the virtual machine
    static Process start(List<String> flags, Path config, Path run, File output, String... overrides)
            throws IOException {
        return start(Map.of(), flags, config, run, output, overrides);
    }

    /// @param environment variables beside those of this process
    static Process start(
            Map<String, String> environment,
            List<String> flags,
            Path config,
            Path run,
            File output,
            String... overrides)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-XX:ErrorFile=target/crash-%p.txt",
                "-Xmx256m"));
        command.addAll(flags);
        command.addAll(List.of(
                "-cp",
                System.getProperty("java.class.path"),
                TrainProcess.class.getName(),
                config.toString(),
                run.toString()));
        command.addAll(List.of(overrides));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(output));
        builder.environment().putAll(environment);
        return builder.start();
    }

    /// @param arguments the config, the run's folder, overrides
    public static void main(String[] arguments) {
        List<String> overrides = Arrays.asList(arguments).subList(2, arguments.length);
        RunConfig config = ConfigReader.read(Path.of(arguments[0]), RunConfig.class, overrides);
        new TrainingRun(
                        config,
                        Path.of(arguments[1]),
                        _ -> {},
                        (_, _, _) -> {},
                        () -> false,
                        () -> false,
                        Workers.alone(),
                        false)
                .run();
    }
}
