package org.quern.gpu;

/// A mark on the clock of an [EmulatedGpu].
final class EmulatedEvent extends EmulatedGpu.Item implements GpuEvent {
    private static final double NANOSECONDS = 1e-6;

    /// -1 if there is no mark.
    private long time = -1;

    EmulatedEvent(EmulatedGpu gpu) {
        super(gpu);
    }

    void mark() {
        synchronized (gpu) {
            use();
            time = gpu.nanoseconds();
        }
    }

    @Override
    public boolean isReached() {
        use();
        return true;
    }

    @Override
    public void synchronize() {
        use();
    }

    @Override
    public double millisecondsSince(GpuEvent start) {
        use();
        long began = ((EmulatedEvent) start).time;
        if (began < 0 || time < 0) {
            throw new GpuException("there is no time between events that were not both recorded");
        }
        return (time - began) * NANOSECONDS;
    }

    @Override
    String describe() {
        return "an event";
    }
}
