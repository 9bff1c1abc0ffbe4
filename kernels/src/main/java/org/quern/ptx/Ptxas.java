package org.quern.ptx;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.gpu.GpuException;

/// NVIDIA's assembler as a program, from a CUDA toolkit.
final class Ptxas implements Assembler {
    private static final Pattern VERSION = Pattern.compile("\\bV(\\d+\\.\\d+\\.\\d+)");
    private static final Map<Path, Ptxas> KNOWN = new ConcurrentHashMap<>();

    private final Path program;
    private final String name;
    private final String help;

    private Ptxas(Path program) {
        this.program = program;
        Matcher version = VERSION.matcher(run(program.toString(), "--version").output);
        if (!version.find()) {
            throw new GpuException("%s is no ptxas: it does not tell its version".formatted(program));
        }
        name = "ptxas " + version.group(1);
        help = run(program.toString(), "--help").output;
    }

    static Ptxas at(Path program) {
        return KNOWN.computeIfAbsent(program, Ptxas::new);
    }

    static Optional<Ptxas> inPath(String path) {
        for (String folder : path.split(File.pathSeparator)) {
            Path program = Path.of(folder, "ptxas");
            if (!folder.isEmpty() && Files.isExecutable(program)) {
                return Optional.of(at(program));
            }
        }
        return Optional.empty();
    }

    /// Whether its help names an architecture.
    boolean knows(String architecture) {
        return help.contains("'%s'".formatted(architecture));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Assembled assemble(String kernel, String ptx, String architecture) {
        try {
            Path folder = Files.createTempDirectory("quern-ptxas");
            Path text = folder.resolve("kernel.ptx");
            Path cubin = folder.resolve("kernel.cubin");
            try {
                Files.writeString(text, ptx, StandardCharsets.US_ASCII);
                Result result =
                        run(program.toString(), "-arch=" + architecture, "-v", text.toString(), "-o", cubin.toString());
                if (result.status != 0) {
                    throw AssemblerLog.failure(kernel, architecture, name, result.output, ptx);
                }
                return new Assembled(
                        Files.readAllBytes(cubin), AssemblerLog.usage(kernel, architecture, name, result.output));
            } finally {
                Files.deleteIfExists(text);
                Files.deleteIfExists(cubin);
                Files.delete(folder);
            }
        } catch (IOException e) {
            throw new GpuException("%s: %s needs the folder for temporary files: %s".formatted(kernel, name, e), e);
        }
    }

    private record Result(int status, String output) {}

    private static Result run(String... command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Result(process.waitFor(), output);
        } catch (IOException e) {
            throw new GpuException("%s cannot be run: %s".formatted(command[0], e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GpuException(command[0] + " was interrupted", e);
        }
    }
}
