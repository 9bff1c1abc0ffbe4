package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.executor.KernelProvider;
import org.quern.executor.TunedPlans;
import org.quern.gpu.EmulatedGpu;
import org.quern.kernels.bench.AttentionTraining;
import org.quern.kernels.bench.Product;
import org.quern.kernels.bench.Product.Ending;
import org.quern.kernels.bench.ProductTuner;
import org.quern.kernels.bench.Timing;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.ptx.emulator.Options;

class KernelTuningTest {
    private static final Product FIRST = new Product("first", new Shape(64, 64, 64, false, true), Ending.BIAS);
    private static final Product SECOND = new Product("second", new Shape(72, 64, 128, true, false), Ending.ACCUMULATE);

    private static final List<Gradient> FORMS = List.of(Gradient.values());

    @TempDir
    private Path folder;

    private final List<String> lines = new ArrayList<>();
    private final List<KernelTuning.Result> results = new ArrayList<>();

    private boolean run(String driver, Duration limit, Product... products) {
        return run(
                driver, limit, KernelTuning.tasks(List.of(products), List.of(), KernelsTuneCommand.PROVIDERS, FORMS));
    }

    private boolean run(String driver, Duration limit, List<TuningTask<?>> tasks) {
        EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withDevice(Options.Device.SM_90));
        lines.clear();
        results.clear();
        double[] clock = {1e-3};
        try (KernelDevice device = new KernelDevice(gpu, LoadedKernels.asText(gpu));
                ProductTuner tuner = new ProductTuner(device, 1, (_, _) -> new Timing(List.of(clock[0] -= 1e-6)))) {
            DeviceHeader header = new DeviceHeader(
                    "cuda:0",
                    "Test GPU",
                    "sm_90",
                    gpu.properties().multiprocessors(),
                    1,
                    Optional.of(driver),
                    "0",
                    "2026-01-01",
                    "quern kernels tune");
            return new KernelTuning(device, header, tuner, lines::add, results::add).run(tasks, table(), limit);
        }
    }

    private Path table() {
        return folder.resolve("test-gpu.json");
    }

    private List<String> rows() {
        return lines.stream()
                .filter(line -> line.startsWith("| first") || line.startsWith("| second"))
                .toList();
    }

    @Test
    void timesBothFormsOfAGradient() {
        AttentionTraining third = new AttentionTraining("third", new Attention.Shape(1, 128, 1, 1, 64, 0));
        List<TuningTask<?>> tasks = List.of(new GradientTuning(third, FORMS));
        run("1", Duration.ZERO, tasks);
        assertThat(lines).last().isEqualTo("to do   1: the same command goes on with them");
        assertThat(run("1", Duration.ofHours(1), tasks)).isTrue();
        assertThat(TunedPlans.read(table()).row(third.shape())).hasValueSatisfying(row -> {
            assertThat(row.gradient()).isEqualTo(Gradient.FUSED); // the clock of this test gives less each time
            assertThat(row.otherSeconds()).isGreaterThan(row.seconds());
        });
        assertThat(lines)
                .anyMatch(line -> line.startsWith(
                        "| third 1x128, 1 heads of 64, attention backward | warpgroups | fused (the other +0.1 %) | "));
        String before = lines.toString();
        run("1", Duration.ofHours(1), tasks);
        assertThat(lines).as("what is in the table").hasToString(before);
        assertThat(results)
                .extracting(KernelTuning.Result::product)
                .containsExactly("attention backward third 1x128, 1 heads of 64 by warpgroups");
        // A form that may not be taken does not stay in the table.
        run("1", Duration.ofHours(1), List.of(new GradientTuning(third, List.of(Gradient.TWO_KERNELS))));
        assertThat(TunedPlans.read(table()).attentions()).singleElement().satisfies(row -> {
            assertThat(row.gradient()).isEqualTo(Gradient.TWO_KERNELS);
            assertThat(row.otherSeconds()).isZero();
        });
    }

    @Test
    void whatPaysMostComesFirst() {
        Attention.Shape shape = new Attention.Shape(1, 128, 1, 1, 64, 0);
        List<AttentionTraining> attentions =
                List.of(new AttentionTraining("one", shape), new AttentionTraining("two", shape));
        Product head = new Product("a head forward", SECOND.shape(), Ending.NONE);
        assertThat(KernelTuning.tasks(List.of(FIRST, head, SECOND), attentions, KernelsTuneCommand.PROVIDERS, FORMS))
                .extracting(TuningTask::name)
                .containsExactly(
                        "attention backward one 1x128, 1 heads of 64 by warpgroups",
                        "matmul first, nt 64x64x64, bias by warpgroups",
                        "matmul a head forward, tn 72x64x128 by warpgroups",
                        "attention backward two 1x128, 1 heads of 64 by warpgroups",
                        "matmul first, nt 64x64x64, bias by ptx",
                        "matmul a head forward, tn 72x64x128 by ptx",
                        "matmul first, nt 64x64x64, bias by fp8");
    }

    @Test
    void goesOnWhereItStopped() throws Exception {
        assertThat(run("1", Duration.ofHours(1), FIRST)).isTrue();
        List<String> before = rows();
        assertThat(results)
                .extracting(KernelTuning.Result::provider)
                .containsExactly(KernelProvider.WARPGROUPS, KernelProvider.PTX, KernelProvider.FP8);
        assertThat(results)
                .allMatch(result -> result.best().isPresent()
                        && result.refusals().isEmpty()
                        && result.product().startsWith("matmul first, nt 64x64x64, bias by "));
        assertThat(before).hasSize(3).allMatch(line -> line.startsWith("| first, matmul nt 64x64x64 | "));
        assertThat(run("1", Duration.ofHours(1), FIRST, SECOND)).isTrue();
        assertThat(rows()).hasSize(6).contains(before.toArray(String[]::new));
        assertThat(results)
                .extracting(KernelTuning.Result::sizes)
                .containsExactly(
                        "nt 64x64x64", "tn 72x64x128", "nt 64x64x64", "tn 72x64x128", "nt 64x64x64", "tn 72x64x128");
        TunedPlans table = TunedPlans.read(table());
        assertThat(table.products()).hasSize(6);
        assertThat(table.row(KernelProvider.WARPGROUPS, SECOND.shape())).isPresent();
        assertThat(table.row(KernelProvider.PTX, SECOND.shape())).hasValueSatisfying(row -> {
            assertThat(row.plans()).isPositive();
            assertThat(row.modelSeconds()).isGreaterThanOrEqualTo(row.seconds());
        });
        assertThat(lines).last().isEqualTo("\ntable   " + table());
    }

    @Test
    void beginsNothingAfterItsTime() {
        assertThat(run("1", Duration.ZERO, FIRST, SECOND)).isTrue();
        assertThat(rows()).isEmpty();
        assertThat(lines).last().isEqualTo("to do   6: the same command goes on with them");
        assertThat(table()).doesNotExist();
    }

    @Test
    void measuresAnewWithAnotherDriver() throws Exception {
        run("1", Duration.ofHours(1), FIRST, SECOND);
        run("2", Duration.ofHours(1), FIRST);
        TunedPlans table = TunedPlans.read(table());
        assertThat(table.driver()).isEqualTo("2");
        assertThat(table.products()).hasSize(3);
        assertThat(Files.list(folder)).hasSize(1);
    }
}
