package org.quern.kernels.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuFunction;
import org.quern.kernels.check.CaseOutcome.Agreement;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.check.KernelCheck.Settings;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.ptx.KernelVariant;

class KernelCheckTest {
    private static final Settings SETTINGS = new Settings(7, 2, KernelCheck.FOREVER, Duration.ofSeconds(30));

    private final AtomicInteger opened = new AtomicInteger();
    /// Of the device under test, for cases to break.
    private HostGpu gpu;

    private KernelDevice openGpu() {
        opened.incrementAndGet();
        gpu = new HostGpu();
        return new KernelDevice(gpu, new NoKernels());
    }

    private static KernelDevice openEmulator() {
        return new KernelDevice(new HostGpu(), new NoKernels());
    }

    private List<CaseOutcome> check(Settings settings, KernelCase... cases) {
        return check(this::openGpu, settings, cases);
    }

    private static List<CaseOutcome> check(Supplier<KernelDevice> gpu, Settings settings, KernelCase... cases) {
        List<CaseOutcome> outcomes = new ArrayList<>();
        List<CatalogCase> all =
                List.of(cases).stream().map(one -> new CatalogCase("test", one)).toList();
        KernelCheck.onGpu(gpu, KernelCheckTest::openEmulator, settings, all, outcomes::add);
        return outcomes;
    }

    /// Gives `values` on the device under test and the expected ones on the emulator.
    private KernelCase gives(String name, float[] values, double[] expected, double relative) {
        return new KernelCase(name, device -> {
            float[] given = isGpu() ? values : toFloats(expected);
            DeviceMemory memory = device.outputF32(given.length);
            device.run(stream -> stream.copyToDevice(MemorySegment.ofArray(given), memory));
            device.compare("y", device.readF32(memory), expected, relative, 0);
        });
    }

    /// The device under test has one thread, the first that was made.
    private static boolean isGpu() {
        return Thread.currentThread().getName().equals("check-gpu-0");
    }

    private static float[] toFloats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    @Test
    void saysHowFarResultsAreFromReferenceAndEmulator() {
        List<CaseOutcome> outcomes = check(
                SETTINGS,
                gives("same", new float[] {1, -2}, new double[] {1, -2}, 0),
                gives("near", new float[] {1, 2.5f}, new double[] {1, 2}, 0.5));
        assertThat(outcomes).extracting(CaseOutcome::status).containsOnly(Status.OK);
        assertThat(outcomes.get(0).error()).contains(0.0);
        assertThat(outcomes.get(0).agreement()).contains(new Agreement(0, true));
        assertThat(outcomes.get(1).error()).contains(0.5);
        assertThat(outcomes.get(1).agreement()).contains(new Agreement(0.5, false));
    }

    @Test
    void goesOnAfterAFailingCase() {
        List<CaseOutcome> outcomes = check(
                SETTINGS,
                gives("wrong", new float[] {1, 5}, new double[] {1, 2}, 0.5),
                gives("nan", new float[] {Float.NaN}, new double[] {1}, 0.5),
                new KernelCase("refused", _ -> {
                    throw new GpuException("no such size");
                }),
                gives("right", new float[] {1}, new double[] {1}, 0));
        assertThat(outcomes)
                .extracting(CaseOutcome::status)
                .containsExactly(Status.FAILED, Status.FAILED, Status.FAILED, Status.OK);
        assertThat(outcomes.get(0).message())
                .isEqualTo("y: 1 of 2 values are wrong; [1] is 5.0, expected 2.0 +- 1.00 (right on the emulator)");
        assertThat(outcomes.get(0).error()).contains(3.0);
        assertThat(outcomes.get(1).error()).contains(Double.POSITIVE_INFINITY);
        assertThat(outcomes.get(2).message()).isEqualTo("no such size (wrong on the emulator, too)");
        assertThat(outcomes.get(2).error()).isEmpty();
        assertThat(opened).hasValue(1);
    }

    @Test
    void findsResultsThatMove() {
        AtomicInteger runs = new AtomicInteger();
        List<CaseOutcome> outcomes = check(SETTINGS, new KernelCase("moves", device -> {
            float value = isGpu() ? 1 + 0.01f * runs.getAndIncrement() : 1;
            device.compare("y", device.readF32(device.f32(new float[] {value})), new double[] {1}, 0.1, 0);
        }));
        assertThat(outcomes.getFirst().status()).isEqualTo(Status.FAILED);
        assertThat(outcomes.getFirst().message())
                .isEqualTo("y: two runs on the same inputs gave different bits, which is how a race looks"
                        + " (right on the emulator)");
    }

    @Test
    void findsWritesOutsideOfBuffers() {
        List<CaseOutcome> outcomes = check(SETTINGS, new KernelCase("outside", device -> {
            DeviceMemory memory = device.outputF32(1);
            device.run(stream -> stream.fill(new DeviceMemory(memory.address() + memory.bytes(), 1), (byte) 0));
        }));
        assertThat(outcomes.getFirst().message()).startsWith("a kernel wrote outside its buffers");
    }

    @Test
    void leavesTheRestOutAfterAFault() {
        List<CaseOutcome> outcomes = check(
                SETTINGS,
                new KernelCase("breaks", device -> {
                    if (isGpu()) {
                        gpu.breakDown();
                    }
                    device.run(_ -> {});
                }),
                gives("right", new float[] {1}, new double[] {1}, 0));
        assertThat(outcomes).extracting(CaseOutcome::status).containsExactly(Status.FAULT, Status.LEFT_OUT);
        assertThat(outcomes)
                .extracting(CaseOutcome::message)
                .containsExactly(
                        "the device stopped working: CUDA_ERROR_ILLEGAL_ADDRESS",
                        "the device stopped working in breaks");
    }

    @Test
    void leavesCasesOutIfTheDeviceCannotBeOpened() {
        List<CaseOutcome> outcomes = check(
                () -> {
                    throw new GpuException("no device");
                },
                SETTINGS,
                gives("first", new float[] {1}, new double[] {1}, 0));
        assertThat(outcomes.getFirst().status()).isEqualTo(Status.LEFT_OUT);
        assertThat(outcomes.getFirst().message()).isEqualTo("the device cannot be opened: no device");
    }

    @Test
    void stopsWhereTheDeviceHangs() {
        CountDownLatch never = new CountDownLatch(1);
        List<CaseOutcome> outcomes = check(
                new Settings(7, 2, KernelCheck.FOREVER, Duration.ofMillis(100)),
                new KernelCase("hangs", _ -> {
                    if (isGpu()) {
                        try {
                            never.await();
                        } catch (InterruptedException _) {
                            Thread.currentThread().interrupt();
                        }
                    }
                }),
                gives("second", new float[] {1}, new double[] {1}, 0));
        assertThat(outcomes).extracting(CaseOutcome::status).containsExactly(Status.FAULT, Status.LEFT_OUT);
        assertThat(outcomes.getLast().message()).isEqualTo("the device hung in hangs");
    }

    @Test
    void leavesCasesOutWhenTheTimeIsOver() {
        List<CaseOutcome> outcomes = check(
                new Settings(7, 2, Duration.ZERO, Duration.ofSeconds(30)),
                gives("first", new float[] {1}, new double[] {1}, 0));
        assertThat(outcomes.getFirst().status()).isEqualTo(Status.LEFT_OUT);
        assertThat(outcomes.getFirst().message()).isEqualTo("the time was over");
    }

    @Test
    void keepsTheOrderOnManyEmulators() {
        List<CatalogCase> cases = IntStream.range(0, 50)
                .mapToObj(i -> new CatalogCase("test", gives("case " + i, new float[0], new double[] {i}, 0)))
                .toList();
        List<String> names = new ArrayList<>();
        KernelCheck.onEmulator(KernelCheckTest::openEmulator, SETTINGS, cases, outcome -> names.add(outcome.name()));
        assertThat(names)
                .containsExactlyElementsOf(
                        cases.stream().map(one -> one.kernelCase().name()).toList());
    }

    @Test
    void putsCasesThatSayMostFirst() {
        List<CatalogCase> cases = IntStream.range(0, 11)
                .mapToObj(i -> new CatalogCase(i < 3 ? "small" : "large", new KernelCase("" + i, _ -> {})))
                .toList();
        assertThat(CatalogCase.tellingFirst(cases))
                .extracting(one -> one.kernelCase().name())
                .containsExactly("0", "3", "2", "7", "1", "5", "9", "4", "8", "6", "10");
    }

    private record NoKernels() implements KernelLibrary {
        @Override
        public DeviceProperties device() {
            throw new UnsupportedOperationException();
        }

        @Override
        public GpuFunction function(KernelVariant variant, String entry) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }
}
