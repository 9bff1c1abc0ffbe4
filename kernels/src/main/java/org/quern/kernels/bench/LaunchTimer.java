package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuGraph;
import org.quern.gpu.GpuStream;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelDevice;

/// Times kernels with the device's events.
///
/// Launches go round among copies of the buffers that together exceed twice the second-level cache, so that none
/// finds its inputs there; one round among them, captured as a graph, is what is repeated.
final class LaunchTimer implements ProductTuner.Stopwatch {
    private static final int ROUNDS = 7;
    private static final int MAX_COPIES = 256;

    private final KernelDevice device;
    private final GpuStream stream;
    private final GpuEvent start;
    private final GpuEvent end;

    LaunchTimer(KernelDevice device) {
        this.device = device;
        Gpu gpu = device.gpu();
        stream = gpu.stream();
        start = gpu.event();
        end = gpu.event();
    }

    /// Times a kernel.
    ///
    /// @param seconds to spend on it, warm-up aside
    @Override
    public Timing time(Setup setup, double seconds) {
        try (DeviceArena arena = device.gpu().arena()) {
            BenchmarkMemory memory = new BenchmarkMemory(arena, stream, 1);
            List<GpuKernel> copies = new ArrayList<>();
            long cache = 2 * device.gpu().properties().l2Bytes();
            do {
                copies.add(setup.bind(device.library(), memory));
            } while (memory.allocated() <= cache && copies.size() < MAX_COPIES);
            return time(copies, seconds);
        }
    }

    /// Times a copy within the device.
    ///
    /// @param bytes to copy
    Timing timeCopy(long bytes, double seconds) {
        return time(
                (_, memory) -> {
                    var source = memory.f32(bytes / Float.BYTES, 1);
                    var target = memory.output(bytes);
                    return queue -> queue.copy(source, target);
                },
                seconds);
    }

    private Timing time(List<GpuKernel> copies, double seconds) {
        Consumer<GpuStream> all = queue -> copies.forEach(kernel -> kernel.launch(queue));
        // The first launches load code, and a kernel that fails does so outside of a graph.
        all.accept(stream);
        stream.synchronize();
        try (GpuGraph graph = stream.capture(() -> all.accept(stream))) {
            double once = measure(graph, 1);
            int repetitions = (int) Math.max(1, seconds / ROUNDS / once);
            measure(graph, repetitions);
            List<Double> rounds = new ArrayList<>();
            for (int round = 0; round < ROUNDS; round++) {
                rounds.add(measure(graph, repetitions) / repetitions / copies.size());
            }
            return new Timing(rounds);
        }
    }

    private double measure(GpuGraph graph, int repetitions) {
        stream.record(start);
        for (int i = 0; i < repetitions; i++) {
            stream.replay(graph);
        }
        stream.record(end);
        stream.synchronize();
        return end.millisecondsSince(start) / 1e3;
    }

    @Override
    public void close() {
        try (start;
                end;
                stream) {
            stream.synchronize();
        }
    }
}
