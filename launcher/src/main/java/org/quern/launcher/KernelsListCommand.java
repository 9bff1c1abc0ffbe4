package org.quern.launcher;

import java.util.List;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.gpu.ExampleDevices;
import org.quern.kernels.check.KernelCatalog;
import org.quern.kernels.check.KernelTable;
import org.quern.ptx.Assembler;
import org.quern.ptx.CubinCache;
import org.quern.ptx.KernelVariant;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `quern kernels list`: all kernels and what they need.
@Command(
        name = "list",
        description = {
            "Lists the GPU's kernels: threads and bytes of shared memory of a block, registers of a thread, and how many "
                    + "blocks a multiprocessor holds at a time.",
            "Assembles what is not in the cache yet; needs no GPU."
        })
final class KernelsListCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "TEXT", description = "Only kernels whose name has this in it.")
    private String text = "";

    @Option(names = "--arch", paramLabel = "ARCH", description = "For this architecture; sm_80 by default.")
    private String architecture = "sm_80";

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (ExampleDevices.of(architecture).isEmpty()) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--arch: known are %s: got %s".formatted(ExampleDevices.architectures(), architecture));
        }
        List<KernelVariant> variants = KernelCatalog.families().stream()
                .flatMap(family -> family.variants().stream())
                .filter(variant -> variant.name().contains(text))
                .toList();
        System.out.printf("%-70s %7s %8s %9s  %s%n", "kernel", "threads", "shared", "registers", "blocks");
        for (KernelTable.Row row : KernelTable.of(variants, List.of(architecture), CubinCache.standard())) {
            KernelTable.Use use = row.uses().get(architecture);
            System.out.printf(
                    "%-70s %7d %,8d %9s  %s%n",
                    row.entry().equals(family(row.variant()))
                            ? row.variant().name()
                            : row.variant().name() + " " + row.entry(),
                    row.threads(),
                    row.sharedBytes(),
                    use == null ? "-" : use.resources().registers(),
                    use == null
                            ? "-"
                            : "%d (%.0f %%), by %s"
                                    .formatted(
                                            use.occupancy().blocks(),
                                            100 * use.occupancy().fraction(),
                                            use.occupancy().limit()));
        }
        Assembler.Choice choice = Assembler.choose("", architecture);
        System.out.printf(
                "assembled for %s by %s: %s%n",
                architecture, choice.assembler().map(Assembler::name).orElse("the driver"), choice.reason());
        return ExitCode.OK.code();
    }

    private static String family(KernelVariant variant) {
        return variant.file().substring(0, variant.file().indexOf('.'));
    }
}
