package org.quern.kernels.check;

import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.KernelVariant;

/// Kernels that belong together: what ships, and what proves it.
///
/// @param name as in the head of its cases: `matmul`
/// @param variants all that ship
/// @param cases small enough for the emulator in every build
/// @param slowCases large sizes and sweeps
public record KernelFamily(
        String name,
        List<KernelVariant> variants,
        Supplier<Stream<KernelCase>> cases,
        Supplier<Stream<KernelCase>> slowCases) {

    /// Whether a device can run all of its kernels.
    public boolean runsOn(DeviceProperties device) {
        return variants.stream().allMatch(variant -> LoadedKernels.runs(variant, device));
    }

    /// @param slow whether with the slow ones
    public Stream<CatalogCase> allCases(boolean slow) {
        Stream<KernelCase> all = slow ? Stream.concat(cases.get(), slowCases.get()) : cases.get();
        return all.map(one -> new CatalogCase(name, one));
    }
}
