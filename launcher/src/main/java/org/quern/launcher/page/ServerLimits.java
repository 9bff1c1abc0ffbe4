package org.quern.launcher.page;

import java.util.Map;

/// What clients of the JDK's HTTP server may take. It reads these limits once in a process, when the first server is
/// made: whoever makes one sets them before.
final class ServerLimits {
    private ServerLimits() {}

    /// Seconds for a request and for its reply, connections, and sizes of headers.
    static void set() {
        Map.of(
                        "sun.net.httpserver.maxReqTime", "10",
                        "sun.net.httpserver.maxRspTime", "60",
                        "sun.net.httpserver.idleInterval", "30",
                        "sun.net.httpserver.maxReqHeaders", "64",
                        "sun.net.httpserver.maxReqHeaderSize", "16384",
                        "jdk.httpserver.maxConnections", "256")
                .forEach((name, value) -> {
                    if (System.getProperty(name) == null) {
                        System.setProperty(name, value);
                    }
                });
    }
}
