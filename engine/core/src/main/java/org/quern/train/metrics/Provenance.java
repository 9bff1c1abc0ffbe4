package org.quern.train.metrics;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.base.Version;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/// What made a run: all that is needed to make it again, or to say why another came out differently. Each start of a
/// run adds one to the list `starts` of `provenance.json` in its folder.
///
/// @param time of the start, UTC
/// @param firstStep steps done before this start
/// @param configSha256 of `config`
/// @param dataSha256 of the manifest of the token shards
/// @param tokenizerSha256 of `tokenizer.json`
/// @param config the whole config as resolved, in YAML
public record Provenance(
        String time,
        long firstStep,
        String configSha256,
        String dataSha256,
        String tokenizerSha256,
        Version quern,
        Java java,
        Machine machine,
        String config) {

    /// The Java virtual machine.
    ///
    /// @param flags given on its command line
    public record Java(String version, String vendor, String vm, List<String> flags) {}

    /// The machine.
    ///
    /// @param cpu name of the processor's model
    /// @param cores that the JVM may use
    /// @param memoryBytes that the machine, or the container, has
    /// @param vectorBits width of the vectors that the Vector API prefers for floats
    public record Machine(String os, String architecture, String cpu, int cores, long memoryBytes, int vectorBits) {
        public static Machine current() {
            return new Machine(
                    System.getProperty("os.name") + " " + System.getProperty("os.version"),
                    System.getProperty("os.arch"),
                    cpuModel(),
                    Runtime.getRuntime().availableProcessors(),
                    ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class)
                            .getTotalMemorySize(),
                    FloatVector.SPECIES_PREFERRED.vectorBitSize());
        }
    }

    private static final JsonMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .build();

    /// Of a start now, on this machine.
    ///
    /// @param config the resolved config, in YAML
    public static Provenance now(long firstStep, String config, String dataSha256, String tokenizerSha256) {
        return new Provenance(
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                firstStep,
                sha256(config),
                dataSha256,
                tokenizerSha256,
                Version.current(),
                new Java(
                        Runtime.version().toString(),
                        System.getProperty("java.vendor"),
                        System.getProperty("java.vm.name"),
                        ManagementFactory.getRuntimeMXBean().getInputArguments()),
                Machine.current(),
                config);
    }

    /// Adds this to `provenance.json` of a run, atomically.
    public void appendTo(Path run) {
        Path file = run.resolve("provenance.json");
        List<Object> starts = new ArrayList<>();
        read(run).forEach(starts::add);
        starts.add(this);
        try {
            AtomicFile.write(file, out -> out.write(JSON.writeValueAsString(Map.of("starts", starts)) + "\n"));
        } catch (IOException e) {
            throw QuernException.io("cannot write %s".formatted(file), e);
        }
    }

    /// The starts of a run, oldest first.
    static List<JsonNode> read(Path run) {
        Path file = run.resolve("provenance.json");
        if (!Files.exists(file)) {
            return List.of();
        }
        try {
            return JSON.readTree(Files.readString(file))
                    .path("starts")
                    .valueStream()
                    .toList();
        } catch (IOException | JacksonException e) {
            throw new QuernException(
                    ExitCode.DATA,
                    "%s is not the JSON that an earlier start wrote: %s; move it away to start a new one"
                            .formatted(file, e.getMessage()),
                    e);
        }
    }

    private static String sha256(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    private static String cpuModel() {
        Path linux = Path.of("/proc/cpuinfo");
        if (Files.isReadable(linux)) {
            try (Stream<String> lines = Files.lines(linux)) {
                Optional<String> model = lines.filter(line -> line.startsWith("model name"))
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .findFirst();
                if (model.isPresent()) {
                    return model.get();
                }
            } catch (IOException e) {
                return "unknown";
            }
        }
        return Optional.ofNullable(System.getenv("PROCESSOR_IDENTIFIER")).orElse("unknown");
    }
}
