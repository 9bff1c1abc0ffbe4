package org.quern.kernels.bench;

/// What the parts of a device can do in a second, at the clock of its datasheet.
///
/// @param multiprocessors that the rates are of
/// @param matrixFlopPerSecond of tensor cores, bf16
/// @param instructionsPerSecond of warps
/// @param specialFunctionsPerSecond of lanes
/// @param wavefrontsPerSecond of shared memory
/// @param l2BytesPerSecond read from the second-level cache
/// @param bytesPerSecond of device memory
public record DeviceRates(
        String device,
        int multiprocessors,
        double matrixFlopPerSecond,
        double instructionsPerSecond,
        double specialFunctionsPerSecond,
        double wavefrontsPerSecond,
        double l2BytesPerSecond,
        double bytesPerSecond) {
    /// The A100 with 40 GB: its datasheet, and "NVIDIA A100 Tensor Core GPU Architecture".
    public static final DeviceRates A100 = of("A100", 108, 1.41e9, 312e12, 5120, 1.555e12);

    /// The H100 SXM: its datasheet, and for the cache what arXiv:2402.13499 measured.
    public static final DeviceRates H100 = of("H100", 132, 1.83e9, 989.4e12, 4200, 3.35e12);

    /// Those for floats of 8 bits, of which tensor cores multiply twice as many.
    DeviceRates ofBytes() {
        return new DeviceRates(
                device,
                multiprocessors,
                2 * matrixFlopPerSecond,
                instructionsPerSecond,
                specialFunctionsPerSecond,
                wavefrontsPerSecond,
                l2BytesPerSecond,
                bytesPerSecond);
    }

    private static DeviceRates of(
            String device,
            int multiprocessors,
            double clock,
            double matrixFlopPerSecond,
            double l2BytesPerClock,
            double bytesPerSecond) {
        double clocks = multiprocessors * clock;
        return new DeviceRates(
                device,
                multiprocessors,
                matrixFlopPerSecond,
                4 * clocks,
                16 * clocks,
                clocks,
                l2BytesPerClock * clock,
                bytesPerSecond);
    }
}
