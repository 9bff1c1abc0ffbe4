package org.quern.kernels.check;

import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.kernels.cuda.EmulatedKernels;
import org.quern.ptx.emulator.Options;

class WarpgroupProbeCasesTest {
    static Stream<KernelCase> cases() {
        return WarpgroupProbeCases.cases();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void holdOnTheEmulator(KernelCase kernelCase) {
        for (Options options : EmulatedKernels.CHOICES) {
            try (EmulatedKernels device = new EmulatedKernels(options.withDevice(Options.Device.SM_90))) {
                device.run(kernelCase);
            }
        }
    }
}
