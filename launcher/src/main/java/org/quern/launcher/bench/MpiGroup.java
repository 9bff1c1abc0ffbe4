package org.quern.launcher.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.kernels.bench.Timing;

/// Open MPI, by the `mpicc` and `mpirun` in PATH. Its processes compute while they wait, so each turn
/// starts new ones.
public final class MpiGroup implements SummingGroup {
    private static final String SOURCE = "all_reduce_mpi.c";

    private final int ranks;
    private final Path folder;

    /// Compiles its program.
    public MpiGroup(int ranks) {
        this.ranks = ranks;
        try (InputStream in = MpiGroup.class.getResourceAsStream("/bench/" + SOURCE)) {
            folder = Files.createTempDirectory("quern-mpi");
            Files.copy(Objects.requireNonNull(in, SOURCE), folder.resolve(SOURCE));
            run(List.of("mpicc", "-O2", "-o", program(), folder.resolve(SOURCE).toString()));
        } catch (IOException e) {
            throw QuernException.io("a folder for mpicc cannot be made", e);
        }
    }

    private String program() {
        return folder.resolve("all_reduce_mpi").toString();
    }

    @Override
    public String name() {
        return "Open MPI";
    }

    @Override
    public Timing time(long bytes, int iterations) {
        String output = run(List.of(
                "mpirun",
                "--allow-run-as-root",
                "--oversubscribe",
                "-np",
                String.valueOf(ranks),
                program(),
                String.valueOf(bytes),
                String.valueOf(iterations)));
        return WaitingGroup.seconds(Json.MAPPER.readTree(output.substring(output.indexOf('{'))));
    }

    private static String run(List<String> command) {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            if (code != 0) {
                throw QuernException.data("%s ended with exit code %d".formatted(String.join(" ", command), code));
            }
            return output;
        } catch (IOException e) {
            throw QuernException.data("%s cannot be run: %s".formatted(command.getFirst(), e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw QuernException.data("interrupted");
        }
    }

    @Override
    public void close() {
        try {
            Files.deleteIfExists(Path.of(program()));
            Files.deleteIfExists(folder.resolve(SOURCE));
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            throw QuernException.io("%s cannot be deleted".formatted(folder), e);
        }
    }
}
