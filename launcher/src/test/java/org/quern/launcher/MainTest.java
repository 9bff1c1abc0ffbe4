package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    private static final Path CONFIGS = Path.of("../configs");

    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    MainTest() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    @Test
    void explainsItself() {
        assertThat(Main.run("--help")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("plan", "doctor");
        assertThat(Main.run("--version")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("quern 0.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "pln", "plan", "plan a.yaml b.yaml", "plan --sett a=1 a.yaml"})
    void rejectsAWrongCommandLine(String line) {
        assertThat(Main.run(line.isEmpty() ? new String[0] : line.split(" "))).isEqualTo(64);
    }

    @Test
    void rejectsAConfigurationThatIsMissingOrWrong() {
        assertThat(Main.run("plan", "no.yaml")).isEqualTo(65);
        assertThat(Main.run("plan", CONFIGS.resolve("quickstart.yaml").toString(), "--set", "train.steps=-1"))
                .isEqualTo(65);
    }

    @Test
    void examinesTheMachine() {
        assertThat(Main.run("doctor")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("cores", "vectors", "GPU driver");
    }
}
