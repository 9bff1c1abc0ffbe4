package org.quern.launcher;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.kernels.check.CaseOutcome;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.check.CatalogCase;

/// Runs cases in processes of their own: after a fault, or where a process breaks down, a new one goes on with the
/// next case.
final class CheckWorkers {
    /// So many faults tell enough.
    private static final int MOST_FAULTS = 20;

    private final Supplier<List<String>> command;
    private int faults;

    /// @param command that starts a [CheckWorkerCommand]; asked anew for each
    CheckWorkers(Supplier<List<String>> command) {
        this.command = command;
    }

    /// @param each gets the outcomes in the order of the cases
    void run(List<CatalogCase> cases, Consumer<CaseOutcome> each) {
        Deque<CatalogCase> left = new ArrayDeque<>(cases);
        while (!left.isEmpty() && faults < MOST_FAULTS) {
            try {
                Process process = new ProcessBuilder(command.get())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
                try {
                    runOn(process, left, each);
                } finally {
                    process.destroyForcibly();
                }
            } catch (IOException e) {
                throw QuernException.io("a process for the check cannot be run", e);
            }
        }
        left.forEach(one -> each.accept(outcome(one, Status.LEFT_OUT, "%d cases had faults".formatted(faults))));
    }

    /// Until all cases are done, or one had a fault.
    private void runOn(Process process, Deque<CatalogCase> left, Consumer<CaseOutcome> each) throws IOException {
        try (Writer names = process.outputWriter(StandardCharsets.UTF_8)) {
            for (CatalogCase one : left) {
                names.write(one.name() + "\n");
            }
        } catch (IOException _) {
            // It has ended already, as will show when it is read from.
        }
        BufferedReader outcomes = process.inputReader(StandardCharsets.UTF_8);
        CaseOutcome outcome;
        do {
            String line = outcomes.readLine();
            while (line != null && !line.startsWith("{")) {
                line = outcomes.readLine(); // what a JVM prints that breaks down
            }
            CatalogCase one = left.removeFirst();
            outcome = line != null
                    ? Json.MAPPER.readValue(line, CaseOutcome.class)
                    : outcome(one, Status.FAULT, "its process ended with exit code " + exitCode(process));
            each.accept(outcome);
        } while (outcome.status() != Status.FAULT && !left.isEmpty());
        if (outcome.status() == Status.FAULT) {
            faults++;
        }
    }

    private static int exitCode(Process process) {
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static CaseOutcome outcome(CatalogCase one, Status status, String message) {
        return new CaseOutcome(one.family(), one.name(), status, 0, Optional.empty(), Optional.empty(), message);
    }
}
