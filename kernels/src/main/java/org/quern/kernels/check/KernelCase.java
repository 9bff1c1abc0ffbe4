package org.quern.kernels.check;

/// One kernel on one size: it makes inputs, launches, and compares with a reference in double precision.
///
/// @param name kernel, sizes and options, unique among all cases: `matmul nt 127x129x1000 bias`
/// @param body throws [Mismatch] if the kernel is wrong
public record KernelCase(String name, Body body) {

    /// What a case does.
    @FunctionalInterface
    public interface Body {
        void run(CheckDevice device);
    }

    /// The same case with grids for a device of so many multiprocessors. With one, a few blocks go over a
    /// small tensor many times, as the blocks of a large device do over a large one.
    KernelCase gridsFor(int multiprocessors) {
        return new KernelCase("%s, grids for %d".formatted(name, multiprocessors), device -> {
            device.gridsFor(multiprocessors);
            body.run(device);
        });
    }

    /// The same case with tensors that begin one element behind an aligned address, which kernels go over
    /// element by element.
    KernelCase misaligned() {
        return new KernelCase(name + ", misaligned", device -> {
            device.misalign();
            body.run(device);
        });
    }

    @Override
    public String toString() {
        return name;
    }
}
