package org.quern.gpu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Another JVM with the class path of the tests.
public final class JavaProcess {
    private final Process process;

    /// @param environment added to this process's
    public JavaProcess(Map<String, String> environment, List<String> flags, Class<?> main, String... arguments)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(
                System.getProperty("java.home") + "/bin/java",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:TieredStopAtLevel=1",
                "-XX:ErrorFile=target/crash-%p.txt",
                "-Xmx256m"));
        command.addAll(flags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        process = builder.start();
    }

    /// For signals.
    public Process process() {
        return process;
    }

    /// What it printed, and its exit status in a last line.
    public String await() throws IOException, InterruptedException {
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        String said = output.lines()
                .filter(line -> !line.startsWith("SLF4J")) // there is no logging in this module's tests
                .map(line -> line + "\n")
                .collect(java.util.stream.Collectors.joining());
        return said + "exit " + process.waitFor() + "\n";
    }
}
