package org.quern.launcher.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.kernels.bench.ModelledTimes.Limit;
import tools.jackson.databind.JsonNode;

/// With processes that say what the verbs would, and a clock that goes when they do.
class GpuBenchTest {
    private static final String QKV = "matmul qkv, nt 1x1x1, bias";
    private static final String LARGEST = "matmul square, nt 8192x8192x8192";
    private static final String FORWARD = "attention forward 1x1024, 1 heads of 64";
    private static final String NORM = "layer_norm forward 1x1";
    private static final String ADD_NORM = "add, layer_norm forward 1x1";
    private static final String BACKWARD = "attention backward 1x1024, 1 heads of 64";
    private static final List<String> BENCHMARKS = List.of(QKV, LARGEST, FORWARD, BACKWARD, NORM, ADD_NORM);
    private static final String GRADIENT = BACKWARD + " by warpgroups";
    private static final List<String> TUNINGS =
            List.of(GRADIENT, "matmul qkv by warpgroups", "matmul qkv by ptx", "matmul qkv by fp8");

    @TempDir
    private Path folder;

    private final List<List<String>> commands = new ArrayList<>();
    private final List<Duration> limits = new ArrayList<>();
    private long now;
    private Set<String> wrong = Set.of();
    private Set<String> hanging = Set.of();
    private String best = "{},'refusals':{}";
    private String gradient = "{'gradient':'FUSED'},'refusals':{}";
    private double row = 2;
    private String driver = "1";

    private static JsonNode json(String text, Object... values) {
        return Json.MAPPER.readTree(text.replace('\'', '"').formatted(values));
    }

    /// Each row takes some seconds of the false clock.
    private Program.Ending run(List<String> arguments, Duration limit, Duration silence, Consumer<JsonNode> lines) {
        commands.add(arguments);
        limits.add(limit);
        long end = now + limit.toNanos();
        for (String line : output(arguments)) {
            boolean hangs = hanging.contains(line);
            double seconds = hangs ? silence.toSeconds() : arguments.contains("check") ? 1 : row;
            if (now + seconds * 1e9 >= end) {
                now = end;
                return new Program.Ending(Program.End.TIME_OVER, 0, "");
            }
            now += (long) (seconds * 1e9);
            if (hangs) {
                return new Program.Ending(Program.End.SILENT, 0, "");
            }
            lines.accept(json(line));
        }
        return new Program.Ending(Program.End.EXIT, 0, "");
    }

    private List<String> output(List<String> arguments) {
        return switch (arguments.get(0) + " " + arguments.get(1)) {
            case "kernels check" ->
                List.of("probe", "matmul", "warpgroup matmul", "fused attention gradient", "norm").stream()
                        .map(family -> "{'family':'%s','name':'a %s','status':'%s','message':'off by one'}"
                                .formatted(family, family, wrong.contains(family) ? "FAILED" : "OK"))
                        .toList();
            case "kernels tune" -> tuned(arguments);
            case "bench kernels" -> {
                List<String> output = new ArrayList<>();
                output.add("{'torch':'2.11','ceilings':{'bytes_per_second':3e12,'flop_per_second':8e14,"
                        + "'product':'PyTorch mm'}}");
                chosen(BENCHMARKS, arguments).forEach(name -> output.add(timing(name)));
                yield output;
            }
            case "bench train" ->
                List.of(
                        "{'who':'Quern','tokens_per_second':{'median':600000,'min':1,'max':2},'memory_bytes':7}",
                        "{'profile':'Operations of steps 3 to 5\\n'}",
                        "{'who':'PyTorch 2.11, compiled','tokens_per_second':{'median':400000,'min':1,'max':2}}");
            default -> List.of();
        };
    }

    private List<String> tuned(List<String> arguments) {
        List<String> providers = values(arguments, "--provider");
        String form = arguments.contains("--gradient") ? "{'gradient':'TWO_KERNELS'},'refusals':{}" : gradient;
        return chosen(TUNINGS, arguments).stream()
                .filter(name -> providers.stream().anyMatch(provider -> name.endsWith(" by " + provider)))
                .map(name -> "{'product':'%s','sizes':'%s','provider':'%s','best':%s}"
                        .formatted(
                                name,
                                name.equals(GRADIENT) ? "1x1024, 1 heads of 64" : "nt 1x1x1",
                                name.substring(name.lastIndexOf(' ') + 1).toUpperCase(Locale.ROOT),
                                name.equals(GRADIENT) ? form : best))
                .toList();
    }

    private static List<String> values(List<String> arguments, String option) {
        return IntStream.range(1, arguments.size())
                .filter(i -> arguments.get(i - 1).equals(option))
                .mapToObj(arguments::get)
                .toList();
    }

    private static List<String> chosen(List<String> names, List<String> arguments) {
        List<String> except = values(arguments, "--except");
        List<String> only = values(arguments, "--only");
        return names.stream()
                .filter(name -> only.stream().allMatch(name::contains))
                .filter(name -> except.stream()
                        .noneMatch(one -> one.startsWith("=") ? one.equals("=" + name) : name.contains(one)))
                .toList();
    }

    private static String timing(String name) {
        boolean product = name.startsWith("matmul");
        boolean memory = name.endsWith("1x1");
        return """
                {'name':'%s','family':'%s','flop':%s,'bytes':%s,'quern':{'seconds':[3e-3]},
                 'others':{%s'PyTorch mm':{'seconds':[2e-3]}},'refusals':{'cuBLAS':'is not there'}}""".formatted(
                        name,
                        product ? "matmul" : memory ? "norm" : "attention",
                        memory ? "0" : "1.1e12",
                        "6e9",
                        (product || name.equals(BACKWARD) ? "'wgmma':{'seconds':[1.5e-3]}," : "")
                                + (product ? "'fp8':{'seconds':[1e-3]}," : "")
                                + (name.equals(BACKWARD) ? "'wgmma fused':{'seconds':[1e-3]}," : ""));
    }

    private boolean run(int seconds) {
        return bench(seconds).run();
    }

    private GpuBench bench(int seconds) {
        Settings settings = new Settings(
                "cuda",
                "sm_90",
                Optional.of("python3"),
                Path.of("gpt2.yaml"),
                folder.resolve("cache/table.json"),
                BENCHMARKS,
                TUNINGS);
        JsonNode head = json(
                "{'run':{'device':'H100','driver':'%s','quern':'1','date':'2026-01-01'},'head':'H100; quern bench gpu'}",
                driver);
        return new GpuBench(
                settings,
                folder,
                head,
                this::run,
                Duration.ofSeconds(seconds),
                () -> now,
                name -> name.equals(FORWARD) ? Map.of("Quern", new Limit("issue", 1e-3)) : Map.of(),
                _ -> {},
                _ -> {});
    }

    private String report() throws Exception {
        return Files.readString(folder.resolve("report.md"));
    }

    private List<List<String>> commands(String... first) {
        return commands.stream()
                .filter(command -> command.subList(0, 2).equals(List.of(first)))
                .toList();
    }

    @Test
    void measuresWhatSaysMostFirst() throws Exception {
        assertThat(run(600)).isTrue();
        assertThat(commands.stream().map(command -> command.get(0) + " " + command.get(1)))
                .containsExactly(
                        "kernels list",
                        "kernels check",
                        "kernels tune",
                        "bench kernels",
                        "bench kernels",
                        "bench train",
                        "bench kernels",
                        "bench train",
                        "bench train");
        assertThat(commands("bench", "train").getFirst())
                .contains("kernels.provider=warpgroups", "--profile", "python3");
        assertThat(report())
                .contains("### H100, 2026-01-01")
                .contains("PyTorch 2.11")
                .contains("| products against cuBLAS, geometric mean | >= 1.00x | 1.33x of 2; 2 reach it alone,")
                .contains("| TFLOP/s of that product | >= 780 | 733 | **missed** |")
                .contains("| training in bf16 against torch.compile | >= 1.30x | 1.50x | met |")
                .contains("| tokens/s of training in bf16 | >= 550,000 | 600,000 | met |")
                .contains("the slowest, of the copy's bandwidth | >= 0.90 | 0.67; 0 of 2 reach it | **missed** |")
                .contains("| " + QKV + " | wgmma | 1.500 ms |")
                .contains("1.33 PyTorch mm")
                .contains("fp8 1.000 ms")
                .contains("| " + BACKWARD + " | wgmma fused | 1.000 ms |")
                .contains(
                        "attention backward against the better of cuDNN and flash, geometric mean | >= 1.00x | 2.00x of 1")
                .contains("- cuBLAS: is not there (2 rows)")
                .contains("Operations of steps 3 to 5");
        // The miss with what explains it: measured over modelled.
        assertThat(report().lines()
                        .filter(line -> line.startsWith("| " + FORWARD))
                        .findFirst())
                .hasValueSatisfying(line -> assertThat(line).contains("| 0.67 |", "issue, 1.000 ms | 3.00 |"));
    }

    @Test
    void keepsItsTimeWhateverTheStagesDo() throws Exception {
        row = 1000;
        for (int seconds : new int[] {600, 300, 100, 5}) {
            long begin = now;
            limits.clear();
            Files.deleteIfExists(folder.resolve("results.jsonl"));
            run(seconds);
            assertThat(now - begin).isLessThanOrEqualTo(seconds * 1_000_000_000L);
            assertThat(report()).contains("not measured");
            if (seconds == 600) {
                assertThat(limits).hasSize(Stage.values().length);
                assertThat(limits).allMatch(limit -> limit.toSeconds() >= Stage.ASSEMBLE.least());
            }
        }
        assertThat(limits).isEmpty();
        assertThat(report()).contains("left out: it needs 10 s, and 5 are left");
    }

    @Test
    void goesOnWhereItStopped() throws Exception {
        row = 12;
        run(140);
        assertThat(report()).contains("left out: it needs");
        List<List<String>> before = List.copyOf(commands);
        // As a kill leaves it.
        Files.writeString(folder.resolve("results.jsonl"), "{\"stage\":\"pro", StandardOpenOption.APPEND);
        commands.clear();
        row = 1;
        assertThat(run(600)).isTrue();
        assertThat(before).extracting(command -> command.get(1)).contains("list", "check", "tune");
        assertThat(commands).extracting(command -> command.get(1)).doesNotContain("list", "check");
        assertThat(values(commands("kernels", "tune").getFirst(), "--except")).containsExactly("=" + GRADIENT);
        assertThat(report()).contains(BENCHMARKS.toArray(String[]::new)).doesNotContain("left out: it needs");
        commands.clear();
        assertThat(run(600)).isTrue();
        assertThat(commands).isEmpty();
    }

    @Test
    void aWrongKernelHasNoTimes() throws Exception {
        wrong = Set.of("warpgroup matmul", "norm");
        assertThat(run(600)).isFalse();
        assertThat(report())
                .contains("2 are wrong.", "- a norm: off by one")
                .contains("| " + QKV + " | Quern | 3.000 ms |")
                .doesNotContain("| " + QKV + " | wgmma")
                .contains("- wgmma: is wrong in the check (2 rows)")
                .contains("| " + NORM + " |  |  |")
                .contains("left out: kernels are wrong: norm");
        assertThat(commands("bench", "kernels").getFirst()).contains("--without", "wgmma");
        assertThat(values(commands("kernels", "tune").getFirst(), "--provider")).containsExactly("ptx");
        assertThat(commands("bench", "train")).isEmpty();
    }

    @Test
    void aCaseCountsOnceAndIsWrongIfItEverWas() throws Exception {
        wrong = Set.of("norm");
        run(600);
        assertThat(report()).contains("4 cases of the check are right, 1 are wrong.");
        wrong = Set.of();
        run(600);
        assertThat(commands("kernels", "check")).hasSize(2);
        assertThat(report()).contains("4 cases of the check are right, 1 are wrong.");
    }

    @Test
    void aWrongFusedGradientLeavesTheOtherFormAlone() throws Exception {
        wrong = Set.of("fused attention gradient");
        assertThat(run(600)).isFalse();
        assertThat(report())
                .contains("| " + BACKWARD + " | wgmma | 1.500 ms |")
                .contains("--except decode --without 'wgmma fused'`")
                .contains("- wgmma fused: is wrong in the check (1 rows)")
                .contains("| " + QKV + " | wgmma | 1.500 ms |");
        assertThat(values(commands("kernels", "tune").getFirst(), "--gradient")).containsExactly("two_kernels");
        assertThat(values(commands("bench", "kernels").get(1), "--without")).containsExactly("wgmma fused");
        assertThat(commands("bench", "train"))
                .hasSize(3)
                .first()
                .asInstanceOf(InstanceOfAssertFactories.LIST)
                .contains("kernels.provider=warpgroups");
    }

    @Test
    void withoutATableTrainingTakesNoWrongGradient() throws Exception {
        wrong = Set.of("fused attention gradient");
        hanging =
                Set.of(tuned(List.of("--gradient", "--provider", "warpgroups")).getFirst());
        assertThat(run(600)).isFalse();
        assertThat(commands("bench", "train"))
                .singleElement()
                .asInstanceOf(InstanceOfAssertFactories.LIST)
                .contains("kernels.provider=ptx");
        assertThat(report()).contains("left out: kernels are wrong: fused attention gradient");
    }

    @Test
    void aFormThatIsWrongWhereItIsTunedHasNoTime() throws Exception {
        gradient = "{'gradient':'TWO_KERNELS'},'refusals':{'fused':'gives 1 instead of 2'}";
        assertThat(run(600)).isFalse();
        assertThat(report())
                .contains("| " + BACKWARD + " | wgmma | 1.500 ms |")
                .contains("- gives 1 instead of 2: fused of " + GRADIENT);
        assertThat(commands("bench", "train")).hasSize(3);
    }

    @Test
    void aProductWithoutARightPlanHasNoTimeByThoseKernels() throws Exception {
        best = "null,'refusals':{'N256, k in 1':'gives 1 instead of 2'}";
        assertThat(run(600)).isFalse();
        assertThat(report())
                .contains("- gives 1 instead of 2: N256, k in 1 of matmul qkv by warpgroups, and 1 others")
                .contains("| " + QKV + " | Quern | 3.000 ms |")
                .contains("| " + LARGEST + " | wgmma | 1.500 ms |");
    }

    @Test
    void withoutItsProbesNothingIsTimed() throws Exception {
        wrong = Set.of("probe");
        assertThat(run(600)).isFalse();
        assertThat(commands).hasSize(2);
        assertThat(report()).contains("left out: single instructions");
    }

    @Test
    void aHangCostsItsRowAlone() throws Exception {
        hanging = Set.of(timing(QKV));
        assertThat(run(600)).isTrue();
        List<List<String>> products = commands("bench", "kernels").subList(0, 2);
        assertThat(products.get(0)).doesNotContain("=" + QKV);
        assertThat(products.get(1)).contains("=" + QKV);
        assertThat(report())
                .contains(QKV + " was lost: it hung.")
                .contains("| " + LARGEST + " | wgmma |")
                .doesNotContain("| " + QKV + " |");
        commands.clear();
        assertThat(run(600)).isTrue();
        assertThat(commands).isEmpty();
    }

    @Test
    void anotherDriverNeedsAnotherFolder() {
        run(600);
        driver = "2";
        assertThatThrownBy(() -> run(600))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("has figures of H100, driver 1, Quern 1, and this is H100, driver 2, Quern 1");
    }

    @Test
    void theTableOfPlansComesAlong() throws Exception {
        Path table = folder.resolve("cache/table.json");
        Files.writeString(folder.resolve("tuned.json"), "plans");
        run(20);
        assertThat(table).hasContent("plans");
        Files.writeString(table, "newer");
        run(600);
        assertThat(folder.resolve("tuned.json")).hasContent("newer");
    }

    @Test
    void processesEndWithTheirTime() throws Exception {
        StageProcess program =
                new StageProcess(arguments -> List.of("sh", "-c", arguments.getFirst()), folder.resolve("log.txt"));
        List<JsonNode> lines = new ArrayList<>();
        Duration minute = Duration.ofMinutes(1);
        Program.Ending ending = program.run(
                List.of("echo '{\"a\": 1}'; echo talk; echo '{'; echo no luck >&2; exit 3"),
                minute,
                minute,
                lines::add);
        assertThat(lines).containsExactly(json("{'a': 1}"));
        assertThat(ending).isEqualTo(new Program.Ending(Program.End.EXIT, 3, "no luck"));
        assertThat(ending.reason()).isEqualTo("exit code 3: no luck");
        Path child = folder.resolve("child");
        String sleeps = "sleep 1000 & echo $! > " + child + "; echo '{}'; wait";
        assertThat(program.run(List.of(sleeps), minute, Duration.ofSeconds(1), lines::add)
                        .end())
                .isEqualTo(Program.End.SILENT);
        long pid = Long.parseLong(Files.readString(child).strip());
        ProcessHandle.of(pid).ifPresent(left -> left.onExit().join());
        assertThat(program.run(List.of("sleep 1000"), Duration.ofSeconds(1), minute, lines::add)
                        .end())
                .isEqualTo(Program.End.TIME_OVER);
        program.stop();
        assertThat(program.run(List.of("exit 3"), minute, minute, lines::add).code())
                .isZero();
    }
}
