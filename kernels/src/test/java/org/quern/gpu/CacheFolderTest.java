package org.quern.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CacheFolderTest {

    @Test
    void prefersTheNamedFolder() {
        assertThat(CacheFolder.path(Map.of("QUERN_CACHE", "/a", "XDG_CACHE_HOME", "/b"), "/home/me"))
                .isEqualTo(Path.of("/a"));
        assertThat(CacheFolder.path(Map.of("QUERN_CACHE", "", "XDG_CACHE_HOME", "/b"), "/home/me"))
                .isEqualTo(Path.of("/b/quern"));
        assertThat(CacheFolder.path(Map.of("XDG_CACHE_HOME", "relative"), "/home/me"))
                .isEqualTo(Path.of("/home/me/.cache/quern"));
        assertThat(CacheFolder.path(Map.of(), "/home/me")).isEqualTo(Path.of("/home/me/.cache/quern"));
    }
}
