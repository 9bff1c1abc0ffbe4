package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.kernels.check.CheckDevice.Result;
import org.quern.kernels.check.KernelCase;
import org.quern.kernels.check.KernelCatalog;
import org.quern.kernels.check.KernelFamily;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Statistics;

/// Runs a family of the catalog on the emulator, each case in all the ways that hardware may choose.
@TestInstance(Lifecycle.PER_CLASS)
abstract class KernelFamilyTest {
    private final KernelFamily family;
    private final List<KernelVariant> shipped = KernelCatalog.families().stream()
            .flatMap(candidate -> candidate.variants().stream())
            .toList();
    final List<EmulatedKernels> devices;

    /// @param name of the family
    KernelFamilyTest(String name) {
        this(name, Options.Device.SM_80);
    }

    KernelFamilyTest(String name, Options.Device device) {
        // All ways but the first let kernels overtake, where the device can.
        devices = EmulatedKernels.CHOICES.stream()
                .map(options -> new EmulatedKernels(
                        options.withDevice(device),
                        device.architecture() >= 90 && options != EmulatedKernels.CHOICES.getFirst()))
                .toList();
        family = KernelCatalog.families().stream()
                .filter(candidate -> candidate.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    Stream<KernelCase> cases() {
        return family.cases().get();
    }

    Stream<KernelCase> slowCases() {
        return family.slowCases().get();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void holdsWithTheSameBitsHoweverItRuns(KernelCase kernelCase) {
        List<Result> first = devices.getFirst().run(kernelCase);
        inspect(devices.getFirst().statistics());
        for (EmulatedKernels device : devices.subList(1, devices.size())) {
            List<Result> others = device.run(kernelCase);
            assertThat(others).hasSameSizeAs(first);
            for (int i = 0; i < others.size(); i++) {
                assertThat(Arrays.equals(others.get(i).values(), first.get(i).values()))
                        .as(others.get(i).what())
                        .isTrue();
            }
        }
        assertThat(shipped).containsAll(devices.getFirst().usedVariants());
    }

    /// Checks what the launches of a case did to memory.
    void inspect(List<Statistics> launches) {}

    @Tag("slow")
    @ParameterizedTest
    @MethodSource("slowCases")
    void holds(KernelCase kernelCase) {
        devices.getLast().run(kernelCase);
    }

    @AfterAll
    void close() {
        devices.forEach(EmulatedKernels::close);
    }
}
