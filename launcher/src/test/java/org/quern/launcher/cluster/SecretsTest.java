package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.quern.launcher.cluster.FaultAgent.Planned;

/// The secrets of the environment are for those who need them: nothing that a run writes, shows or leaves
/// behind when it crashes has one.
@Tag("slow")
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class SecretsTest {
    private static final String CANARY = "canary-7c1f0e4b9d";
    private static final List<String> VARIABLES = List.of(
            "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "QUERN_JOB_TOKEN", "QUERN_DASHBOARD_TOKEN", "SECRET");
    private static final Pattern DASHBOARD = Pattern.compile("dashboard: (http://\\S+)");

    @TempDir
    private Path folder;

    private final HttpClient client = HttpClient.newHttpClient();
    private final List<String> pages = new ArrayList<>();

    @Test
    void appearNowhere() throws Exception {
        TinyJob job = new TinyJob(
                folder,
                20,
                "checkpoint: {every: 3}",
                "evaluate: {every: 10}",
                "sample: {every: 10, prompts: [All], max_tokens: 4}");
        List<Planned> faults = List.of(new Planned(0, 1, "SEGV", 40), new Planned(1, 0, "throw", 20));
        ProcessBuilder train = job.with(FaultAgent.flag(folder, faults))
                .command(List.of(), "run", "--workers", "2", "--dashboard", "0", "--profile");
        Process process = withSecrets(train).start();
        try {
            TinyJob.await(() -> DASHBOARD.matcher(job.output("run")).find());
            Matcher dashboard = DASHBOARD.matcher(job.output("run"));
            assertThat(dashboard.find()).isTrue();
            while (process.isAlive()) {
                look(URI.create(dashboard.group(1)));
            }
            assertThat(process.waitFor()).as(() -> job.output("run")).isZero();
        } finally {
            process.destroyForcibly();
        }
        Process doctor = withSecrets(job.program("doctor"))
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("doctor.txt").toFile())
                .start();
        doctor.waitFor();

        assertThat(pages).anyMatch(page -> page.contains("\"loss\"")).allSatisfy(this::assertClean);
        List<Path> files = files();
        assertThat(files)
                .extracting(path -> folder.relativize(path).toString().replaceAll("\\d+", "N"))
                .contains(
                        "run.txt",
                        "doctor.txt",
                        "run/report.html",
                        "run/metrics.jsonl",
                        "run/samples.jsonl",
                        "run/config.yaml",
                        "run/provenance.json",
                        "run/logs/events.jsonl",
                        "run/logs/workers.json",
                        "run/logs/crash-N.txt",
                        "run/logs/attempt-N/rank-N.txt",
                        "run/checkpoints/step-N/model.safetensors");
        for (Path file : files) {
            assertClean(Files.readString(file, StandardCharsets.ISO_8859_1));
        }
    }

    private void assertClean(String text) {
        String coded = Base64.getEncoder().encodeToString(CANARY.getBytes(StandardCharsets.UTF_8));
        assertThat(text).doesNotContain(CANARY, coded.substring(0, coded.length() - 2));
    }

    private static ProcessBuilder withSecrets(ProcessBuilder program) {
        VARIABLES.forEach(name -> program.environment().put(name, CANARY + "-" + name));
        return program;
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(Files::isRegularFile).toList();
        }
    }

    /// All that the dashboard serves.
    private void look(URI dashboard) throws InterruptedException {
        for (String path : List.of(
                "/",
                "/api/runs",
                "/api/runs/0/metrics",
                "/api/runs/0/samples",
                "/api/runs/0/events",
                "/api/runs/0/workers",
                "/nothing")) {
            HttpRequest request = HttpRequest.newBuilder(dashboard.resolve(path))
                    .header("Authorization", "Bearer " + CANARY + "-QUERN_DASHBOARD_TOKEN")
                    .build();
            try {
                pages.add(client.send(request, BodyHandlers.ofString()).body());
            } catch (IOException _) {
                // The run has ended.
            }
        }
        Thread.sleep(500);
    }
}
