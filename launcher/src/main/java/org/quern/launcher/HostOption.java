package org.quern.launcher;

import java.net.InetSocketAddress;
import org.quern.launcher.page.PageAccess;
import picocli.CommandLine.Option;

/// Which address a page listens on.
final class HostOption {
    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            description = "The address to listen on; others than this machine's own need a token in " + PageAccess.TOKEN
                    + ".")
    private String host = "127.0.0.1";

    /// @param port 0: any that is free
    InetSocketAddress address(int port) {
        return PageAccess.address(host, port);
    }
}
