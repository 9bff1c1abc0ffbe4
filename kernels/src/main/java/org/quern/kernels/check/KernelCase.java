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

    @Override
    public String toString() {
        return name;
    }
}
