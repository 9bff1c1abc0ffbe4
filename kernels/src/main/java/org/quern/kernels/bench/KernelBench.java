package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.quern.gpu.GpuException;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.KernelDevice;

/// Times kernels on a GPU, in turns with libraries and rivals.
public final class KernelBench implements AutoCloseable {
    private static final int TURNS = 2;
    /// Of the copy that gives the ceiling; less where memory is short.
    private static final long COPY_BYTES = 1L << 30;

    private final KernelDevice device;
    private final LaunchTimer timer;
    private final double seconds;
    private final Predicate<String> who;

    /// @param seconds to spend on a kernel, and as much on everybody who is compared with it
    /// @param who is timed: `Quern` and others by their names
    public KernelBench(KernelDevice device, double seconds, Predicate<String> who) {
        this.device = device;
        this.seconds = seconds;
        this.who = who;
        timer = new LaunchTimer(device);
    }

    /// Measures what the device reaches at best.
    ///
    /// @param product of large matrices; who is fastest at it sets the ceiling
    /// @throws GpuException if the device stopped working, or nobody can multiply
    public Ceilings ceilings(KernelBenchmark product, List<? extends Rival> rivals) {
        long bytes = Math.min(COPY_BYTES, device.gpu().freeBytes() / 4) & -256;
        double copied = 2 * bytes / timer.timeCopy(bytes, seconds).median();
        Map.Entry<String, Timing> fastest = fastest(product, rivals);
        return new Ceilings(copied, product.flop() / fastest.getValue().median(), fastest.getKey());
    }

    Map.Entry<String, Timing> fastest(KernelBenchmark product, List<? extends Rival> rivals) {
        KernelTiming timing = time(product, rivals);
        Map<String, Timing> all = new LinkedHashMap<>(timing.others());
        all.keySet().removeIf(KernelBenchmark.FP8::equals);
        timing.quern().ifPresent(quern -> all.put(KernelBenchmark.QUERN, quern));
        return all.entrySet().stream()
                .min(Comparator.comparingDouble(one -> one.getValue().median()))
                .orElseThrow(() -> new GpuException("nobody can multiply: " + timing.refusals()));
    }

    /// Times one kernel. Who cannot do it is left out.
    ///
    /// @throws GpuException if the device stopped working
    public KernelTiming time(KernelBenchmark benchmark, List<? extends Rival> rivals) {
        Map<String, Timing> times = new LinkedHashMap<>();
        Map<String, String> refusals = new LinkedHashMap<>();
        List<Rival> all = new ArrayList<>();
        all.add(new OnDevice(KernelBenchmark.QUERN, benchmark.quern()));
        benchmark.libraries().forEach((name, setup) -> all.add(new OnDevice(name, setup)));
        all.addAll(rivals);
        all.removeIf(rival -> !who.test(rival.name()));
        for (int turn = 0; turn < TURNS; turn++) {
            for (Rival rival : all) {
                if (!refusals.containsKey(rival.name())) {
                    try {
                        rival.time(benchmark, seconds / TURNS)
                                .forEach((way, timing) -> times.merge(way, timing, Timing::and));
                    } catch (GpuException e) {
                        refusals.put(rival.name(), e.getMessage());
                        device.gpu().synchronize(); // fails if the device does not work any more
                    }
                }
            }
        }
        Optional<Timing> quern = Optional.ofNullable(times.remove(KernelBenchmark.QUERN));
        return new KernelTiming(benchmark, quern, times, refusals);
    }

    /// A kernel on this device, as its name says.
    private final class OnDevice implements Rival {
        private final String name;
        private final Setup setup;

        OnDevice(String name, Setup setup) {
            this.name = name;
            this.setup = setup;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public Map<String, Timing> time(KernelBenchmark benchmark, double limit) {
            return Map.of(name, timer.time(setup, limit));
        }
    }

    @Override
    public void close() {
        timer.close();
    }
}
