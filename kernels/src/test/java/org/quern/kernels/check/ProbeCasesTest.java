package org.quern.kernels.check;

import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.gpu.EmulatedGpu;
import org.quern.kernels.cuda.LoadedKernels;

class ProbeCasesTest {
    static Stream<KernelCase> cases() {
        return Stream.concat(ProbeCases.cases(), ProbeCases.approximations());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void holdsOnTheEmulator(KernelCase probe) {
        try (EmulatedGpu gpu = new EmulatedGpu();
                LoadedKernels library = LoadedKernels.asText(gpu);
                CheckDevice device = new CheckDevice(gpu, library, 1, false)) {
            probe.body().run(device);
        }
    }
}
