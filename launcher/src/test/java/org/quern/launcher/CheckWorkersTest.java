package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import org.quern.kernels.check.CaseOutcome;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.check.CatalogCase;
import org.quern.kernels.check.KernelCase;
import org.quern.kernels.check.KernelCatalog;

class CheckWorkersTest {
    @TempDir
    private Path folder;

    private static List<CaseOutcome> run(Supplier<List<String>> command, List<CatalogCase> cases) {
        List<CaseOutcome> outcomes = new ArrayList<>();
        new CheckWorkers(command).run(cases, outcomes::add);
        return outcomes;
    }

    private static List<CatalogCase> cases(String... names) {
        return Stream.of(names)
                .map(name -> new CatalogCase("test", new KernelCase(name, _ -> {})))
                .toList();
    }

    /// A shell script that is asked for the cases instead of a worker.
    private List<String> script(String text) {
        try {
            Path file = Files.writeString(folder.resolve("worker.sh"), text);
            return List.of("sh", file.toString(), folder.toString());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String outcome(String name, Status status) {
        return "echo '%s'\n"
                .formatted(Json.MAPPER.writeValueAsString(new CaseOutcome(
                        "test", name, status, 1.5, java.util.Optional.of(0.5), java.util.Optional.empty(), "")));
    }

    @Test
    void aWorkerRunsCasesByTheirNames() {
        List<CatalogCase> probes = KernelCatalog.cases(false).limit(2).toList();
        List<CaseOutcome> outcomes = run(
                () -> OwnProgram.command(List.of("kernels", "check-worker", "--device", "emulated", "--seed", "1")),
                probes);
        assertThat(outcomes).extracting(CaseOutcome::status).containsExactly(Status.OK, Status.OK);
        assertThat(outcomes.getLast().name()).isEqualTo(probes.getLast().name());
        assertThat(outcomes.getLast().error()).contains(0.0);
    }

    @Test
    void anotherWorkerGoesOnAfterAFault() {
        List<CaseOutcome> outcomes = run(
                () -> script("cat > \"$1/names\"\ncase $(head -n 1 \"$1/names\") in\none)\n" + outcome("one", Status.OK)
                        + outcome("two", Status.FAULT) + outcome("three", Status.LEFT_OUT) + ";;\n*)\n"
                        + outcome("three", Status.OK) + ";;\nesac\n"),
                cases("one", "two", "three"));
        assertThat(outcomes).extracting(CaseOutcome::name).containsExactly("one", "two", "three");
        assertThat(outcomes).extracting(CaseOutcome::status).containsExactly(Status.OK, Status.FAULT, Status.OK);
    }

    @Test
    void namesTheCaseInWhichAProcessEnds() {
        List<CaseOutcome> outcomes = run(
                () -> script("cat > /dev/null\necho '# A fatal error'\n" + outcome("one", Status.OK) + "exit 134\n"),
                cases("one", "two"));
        assertThat(outcomes).extracting(CaseOutcome::status).containsExactly(Status.OK, Status.FAULT);
        assertThat(outcomes.getLast().message()).isEqualTo("its process ended with exit code 134");
    }

    @Test
    void givesUpAfterManyFaults() {
        String[] names =
                Stream.iterate(0, i -> i + 1).limit(25).map(i -> "case " + i).toArray(String[]::new);
        List<CaseOutcome> outcomes = run(() -> script("exit 1\n"), cases(names));
        assertThat(outcomes).hasSize(25);
        assertThat(outcomes.stream().filter(one -> one.status() == Status.FAULT))
                .hasSize(20);
        assertThat(outcomes.getLast().message()).isEqualTo("20 cases had faults");
    }
}
