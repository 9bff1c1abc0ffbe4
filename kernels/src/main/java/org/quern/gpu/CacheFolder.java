package org.quern.gpu;

import java.nio.file.Path;
import java.util.Map;

/// Where Quern keeps what it can make again: native libraries, assembled kernels.
public final class CacheFolder {
    /// The environment variable that names another folder.
    public static final String VARIABLE = "QUERN_CACHE";

    private CacheFolder() {}

    /// `$QUERN_CACHE`, else `$XDG_CACHE_HOME/quern`, else `~/.cache/quern`. It may not exist, nor be writable.
    public static Path path() {
        return path(System.getenv(), System.getProperty("user.home"));
    }

    static Path path(Map<String, String> environment, String home) {
        String named = environment.getOrDefault(VARIABLE, "");
        if (!named.isEmpty()) {
            return Path.of(named).toAbsolutePath();
        }
        String caches = environment.getOrDefault("XDG_CACHE_HOME", "");
        // By its specification, a relative path there is to be ignored.
        return caches.startsWith("/") ? Path.of(caches, "quern") : Path.of(home, ".cache", "quern");
    }
}
