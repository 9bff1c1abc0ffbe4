package org.quern.kernels.cpu;

import java.util.List;

/// Kernels that run one after the other, as one kernel.
abstract class Sequence implements Kernel {
    /// By phase, the kernel that it is of.
    private final Kernel[] kernels;

    /// By phase, its number among the phases of its kernel.
    private final int[] phases;

    Sequence(List<Kernel> kernels) {
        int count = kernels.stream().mapToInt(Kernel::phases).sum();
        this.kernels = new Kernel[count];
        this.phases = new int[count];
        int phase = 0;
        for (Kernel kernel : kernels) {
            for (int i = 0; i < kernel.phases(); i++, phase++) {
                this.kernels[phase] = kernel;
                phases[phase] = i;
            }
        }
    }

    @Override
    public final int phases() {
        return phases.length;
    }

    @Override
    public final int tasks(int phase) {
        return kernels[phase].tasks(phases[phase]);
    }

    @Override
    public final void run(int phase, int task) {
        kernels[phase].run(phases[phase], task);
    }
}
