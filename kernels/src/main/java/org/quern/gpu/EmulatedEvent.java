package org.quern.gpu;

/// A mark on the clock of an [EmulatedGpu].
final class EmulatedEvent extends Owned<EmulatedGpu> implements GpuEvent {
    private static final double MILLISECONDS = 1e-6;

    /// Where the last mark is: behind so much work of a stream. Null if there is no mark.
    private EmulatedStream stream;
    private long position;
    /// In nanoseconds; -1 if no mark was reached.
    private long time = -1;

    EmulatedEvent(EmulatedGpu gpu) {
        super(gpu);
    }

    /// A mark is queued.
    void place(EmulatedStream stream, long position) {
        this.stream = stream;
        this.position = position;
    }

    /// The stream has come to a mark.
    void reach() {
        time = gpu.nanoseconds();
    }

    /// What a stream does that waits for the mark as it is now.
    Runnable arrival() {
        EmulatedStream marked = stream;
        long place = position;
        return () -> {
            if (marked != null) {
                marked.finish(place);
            }
        };
    }

    /// Does some of the work before the mark, so that who asks again and again gets an end.
    @Override
    public boolean isReached() {
        synchronized (gpu) {
            use();
            if (stream == null || stream.isDone(position)) {
                return true;
            }
            stream.step();
            return stream.isDone(position);
        }
    }

    @Override
    public void synchronize() {
        synchronized (gpu) {
            use();
            arrival().run();
        }
    }

    @Override
    public double millisecondsSince(GpuEvent start) {
        synchronized (gpu) {
            use();
            EmulatedEvent first = (EmulatedEvent) start;
            for (EmulatedEvent event : new EmulatedEvent[] {first, this}) {
                if (event.time < 0 || event.stream != null && !event.stream.isDone(event.position)) {
                    throw new GpuException("there is no time between events that were not both reached");
                }
            }
            return (time - first.time) * MILLISECONDS;
        }
    }

    @Override
    String describe() {
        return "an event";
    }

    @Override
    void free() {}
}
