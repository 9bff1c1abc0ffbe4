package org.quern.kernels.cpu;

/// One operation on the CPU, bound to its buffers and sizes: what a launch with its parameters is on a GPU.
///
/// A kernel is cut into phases, and a phase into tasks. All tasks of a phase may run at the same time and in any
/// order; a phase starts when the one before has ended. The cut depends on the sizes alone, never on the number of
/// threads, and every sum has a fixed order, so that the result has the same bits on any number of threads.
///
/// Everything is allocated when the kernel is constructed; `run` allocates nothing.
public interface Kernel {
    /// The number of phases, at least 1.
    default int phases() {
        return 1;
    }

    /// The number of tasks of a phase.
    int tasks(int phase);

    /// Runs one task.
    void run(int phase, int task);
}
