package org.quern.launcher;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.quern.base.ExitCode;
import org.quern.launcher.corpus.InspectPage;
import org.quern.launcher.page.PageAccess;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern corpus inspect`: what a run made of its pages, in a browser.
@Command(
        name = "inspect",
        description = {
            "Shows in a browser what corpus build made of its pages: what each stage dropped and why, with samples as HTML and"
                    + " as text, languages, lengths, duplicates side by side, domains.",
            "A run that goes on is shown as far as it has come. The page is for this machine only, unless a host and a"
                    + " token are given."
        })
final class CorpusInspectCommand implements Callable<Integer> {
    @Parameters(paramLabel = "RUN", description = "The folder that corpus build --run names.")
    private Path run;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "Where to listen; 0: any free port. ${DEFAULT-VALUE} by default.")
    private int port = 8267;

    @Mixin
    private HostOption host;

    @Override
    public Integer call() throws InterruptedException {
        try (InspectPage page = new InspectPage(run, host.address(port), PageAccess.token())) {
            System.out.println(page.url());
            Terminal.error().print("showing %s; Ctrl-C ends it".formatted(run));
            new CountDownLatch(1).await();
        }
        return ExitCode.OK.code();
    }
}
