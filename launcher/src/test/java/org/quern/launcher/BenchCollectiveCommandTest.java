package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.collective.SharedMemory;
import tools.jackson.databind.JsonNode;

class BenchCollectiveCommandTest {
    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    BenchCollectiveCommandTest() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    @Test
    void timesProcessesThatSum() {
        assertThat(Main.run("bench", "collective", "--json", "--bytes", "4,400", "--rounds", "1", "--seconds", "0.001"))
                .isZero();
        JsonNode rows = Json.MAPPER.readTree(out.toByteArray());
        int groups = SharedMemory.problem().isPresent() ? 1 : 2;
        assertThat(rows).hasSize(2 * groups);
        JsonNode last = rows.get(2 * groups - 1);
        assertThat(last.path("by").asString()).isEqualTo("Quern, TCP");
        assertThat(last.path("median_seconds").asDouble()).isPositive();
        assertThat(last.path("bus_bandwidth").asDouble())
                .isEqualTo(last.path("algorithm_bandwidth").asDouble());
    }

    @Test
    void refusesSizesThatAreNoNumbers() {
        assertThat(Main.run("bench", "collective", "--bytes", "6")).isEqualTo(ExitCode.USAGE.code());
    }
}
