package org.quern.executor;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuStream;

/// Times kernels with events between them. Its clock begins when it is made.
final class GpuStopwatch implements AutoCloseable {
    private static final double NANOS = 1e6;

    private final Gpu gpu;
    private final GpuStream stream;
    private final GpuEvent zero;
    /// Before the first kernel, and after each.
    private final List<GpuEvent> marks = new ArrayList<>();

    GpuStopwatch(Gpu gpu, GpuStream stream) {
        this.gpu = gpu;
        this.stream = stream;
        zero = gpu.event();
        stream.record(zero);
    }

    /// Runs kernels, waits for them, and tells how long each took.
    void run(List<GpuKernels.Bound> kernels, OperationListener listener) {
        while (marks.size() <= kernels.size()) {
            marks.add(gpu.event());
        }
        stream.record(marks.getFirst());
        for (int i = 0; i < kernels.size(); i++) {
            kernels.get(i).launch(stream);
            stream.record(marks.get(i + 1));
        }
        stream.synchronize();
        long start = nanos(zero, marks.getFirst());
        for (int i = 0; i < kernels.size(); i++) {
            long nanos = nanos(marks.get(i), marks.get(i + 1));
            listener.on(kernels.get(i).operation(), start, nanos);
            start += nanos;
        }
    }

    private static long nanos(GpuEvent from, GpuEvent to) {
        return Math.round(to.millisecondsSince(from) * NANOS);
    }

    @Override
    public void close() {
        zero.close();
        marks.forEach(GpuEvent::close);
    }
}
