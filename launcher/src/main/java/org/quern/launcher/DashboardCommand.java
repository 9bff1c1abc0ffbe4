package org.quern.launcher;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.launcher.dashboard.DashboardServer;
import picocli.CommandLine.Command;
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
    /// Where clients of other machines find the token that they need.
    static final String TOKEN = "QUERN_DASHBOARD_TOKEN";

    @Parameters(arity = "1..*", paramLabel = "RUN", description = "Folders of runs.")
    private List<Path> runs;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "Where to listen; 0: any free port. ${DEFAULT-VALUE} by default.")
    private int port = 8265;

    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            description = "The address to listen on; others than this machine's own need a token in "
                    + "QUERN_DASHBOARD_TOKEN.")
    private String host = "127.0.0.1";

    @Override
    public Integer call() throws InterruptedException {
        for (Path run : runs) {
            if (!Files.isDirectory(run)) {
                throw QuernException.data("%s is no run's folder".formatted(run));
            }
        }
        try (DashboardServer server = new DashboardServer(runs, address(host, port), token())) {
            System.out.println(server.url());
            Terminal.error().print("showing %s; Ctrl-C ends it".formatted(runs.size() == 1 ? runs.getFirst() : runs));
            new CountDownLatch(1).await();
        }
        return ExitCode.OK.code();
    }

    /// The token of the environment, if there is one.
    static Optional<String> token() {
        return Optional.ofNullable(System.getenv(TOKEN)).filter(token -> !token.isBlank());
    }

    /// @throws QuernException if there is no such address here
    static InetSocketAddress address(String host, int port) {
        if (port < 0 || port > 65_535) {
            throw new QuernException(ExitCode.USAGE, "a port must be 0 to 65535: got " + port);
        }
        try {
            return new InetSocketAddress(InetAddress.getByName(host), port);
        } catch (UnknownHostException e) {
            throw new QuernException(ExitCode.USAGE, "--host must be an address of this machine: got " + host, e);
        }
    }
}
