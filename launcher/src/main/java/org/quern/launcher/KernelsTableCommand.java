package org.quern.launcher;

import java.util.List;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.kernels.bench.MemoryBoundTimes;
import org.quern.kernels.bench.ModelledPage;
import org.quern.kernels.check.KernelCatalog;
import org.quern.kernels.check.KernelTable;
import org.quern.ptx.CubinCache;
import org.quern.ptx.KernelVariant;
import picocli.CommandLine.Command;

/// `quern kernels table`: the source of `kernels/KERNELS.md`.
@Command(
        name = "table",
        description = {
            "Prints kernels/KERNELS.md: what each kernel needs on several architectures, and the least time that the sizes of "
                    + "training take, modelled from counters of the emulator.",
            "For sm_120 it needs ptxas (in PATH, or named by QUERN_PTXAS)."
        })
final class KernelsTableCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        List<KernelVariant> variants = KernelCatalog.families().stream()
                .flatMap(family -> family.variants().stream())
                .toList();
        CubinCache cache = CubinCache.standard();
        System.out.print(KernelTable.markdown(KernelTable.of(variants, KernelTable.ARCHITECTURES, cache)));
        System.out.print(ModelledPage.markdown());
        System.out.print(MemoryBoundTimes.markdown(cache));
        return ExitCode.OK.code();
    }
}
