package org.quern.gpu;

import java.util.List;

/// Work of an [EmulatedStream], kept.
final class EmulatedGraph extends Owned<EmulatedGpu> implements GpuGraph {
    private final List<Runnable> work;

    EmulatedGraph(EmulatedGpu gpu, List<Runnable> work) {
        super(gpu);
        this.work = work;
    }

    void replay() {
        use();
        work.forEach(Runnable::run);
    }

    @Override
    String describe() {
        return "a graph of %d launches and copies".formatted(work.size());
    }

    @Override
    void free() {}
}
