package org.quern.kernels.check;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.kernels.cuda.EmulatedKernels;
import org.quern.ptx.emulator.Options;

@TestInstance(Lifecycle.PER_CLASS)
class WarpgroupProbeCasesTest {
    private final List<EmulatedKernels> devices = EmulatedKernels.CHOICES.stream()
            .map(options -> new EmulatedKernels(options.withDevice(Options.Device.SM_90)))
            .toList();

    static Stream<KernelCase> cases() {
        return WarpgroupProbeCases.cases();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void holdOnTheEmulator(KernelCase kernelCase) {
        devices.forEach(device -> device.run(kernelCase));
    }

    @AfterAll
    void close() {
        devices.forEach(EmulatedKernels::close);
    }
}
