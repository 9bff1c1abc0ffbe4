package org.quern.train.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import tools.jackson.databind.JsonNode;

class ProvenanceTest {
    @TempDir
    Path run;

    @Test
    void addsEachStart() {
        Provenance.now(0, "abc", "d1", "t1").appendTo(run);
        Provenance.now(500, "abd", "d1", "t1").appendTo(run);
        List<JsonNode> starts = Provenance.read(run);
        assertThat(starts).extracting(start -> start.path("first_step").asInt()).containsExactly(0, 500);
        JsonNode first = starts.getFirst();
        assertThat(first.path("config").asString()).isEqualTo("abc");
        assertThat(first.path("config_sha256").asString())
                .as("of FIPS 180-2's example")
                .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assertThat(first.path("data_sha256").asString()).isEqualTo("d1");
        assertThat(first.path("java").path("version").asString())
                .isEqualTo(Runtime.version().toString());
        assertThat(first.path("machine").path("cores").asInt()).isPositive();
        assertThat(first.path("machine").path("memory_bytes").asLong()).isGreaterThan(1L << 20);
        assertThat(first.path("machine").path("vector_bits").asInt()).isGreaterThanOrEqualTo(64);
        assertThat(first.path("quern").path("commit").asString()).isNotEmpty();
    }

    @Test
    void saysWhichFileIsBroken() throws IOException {
        Files.writeString(run.resolve("provenance.json"), "{\"starts\": [");
        assertThatThrownBy(() -> Provenance.now(0, "", "", "").appendTo(run))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("provenance.json")
                .hasMessageContaining("move it away");
    }
}
