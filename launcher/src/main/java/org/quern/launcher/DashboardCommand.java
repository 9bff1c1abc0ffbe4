package org.quern.launcher;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.launcher.dashboard.DashboardServer;
import org.quern.launcher.page.PageAccess;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern dashboard`: runs in a browser, while they go on.
@Command(
        name = "dashboard",
        description = {
            "Shows runs in a browser while they go on: curves, workers, events, samples; several runs over one another.",
            "It is for this machine only, unless a host and a token are given."
        })
final class DashboardCommand implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "RUN", description = "Folders of runs.")
    private List<Path> runs;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "Where to listen; 0: any free port. ${DEFAULT-VALUE} by default.")
    private int port = 8265;

    @Mixin
    private HostOption host;

    @Override
    public Integer call() throws InterruptedException {
        for (Path run : runs) {
            if (!Files.isDirectory(run)) {
                throw QuernException.data("%s is no run's folder".formatted(run));
            }
        }
        try (DashboardServer server = new DashboardServer(runs, host.address(port), PageAccess.token())) {
            System.out.println(server.url());
            Terminal.error().print("showing %s; Ctrl-C ends it".formatted(runs.size() == 1 ? runs.getFirst() : runs));
            new CountDownLatch(1).await();
        }
        return ExitCode.OK.code();
    }
}
