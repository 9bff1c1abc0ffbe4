package org.quern.launcher;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.quern.base.ExitCode;
import org.quern.kernels.check.KernelCatalog;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.PtxTemplate;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `quern kernels print`: a kernel as it is assembled.
@Command(name = "print", description = "Prints the PTX of a kernel, with all loops over registers unrolled.")
final class KernelsPrintCommand implements Callable<Integer> {
    private static final int SHOWN = 20;

    @Parameters(
            index = "0",
            paramLabel = "NAME",
            description = "As `quern kernels list` has it: fill, fill.sm_80 or \"fill.sm_80(bytes=2)\".")
    private String name;

    @Parameters(
            index = "1..*",
            paramLabel = "PARAMETER=VALUE",
            description = "Which of the kernels with this name: bytes=2.")
    private List<String> parameters = List.of();

    @Option(
            names = "--arch",
            paramLabel = "ARCH",
            description = "The one that is written for this architecture (it may run on later ones, too).")
    private String architecture = "";

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        List<KernelVariant> variants = KernelCatalog.families().stream()
                .flatMap(family -> family.variants().stream())
                .filter(this::isMeant)
                .toList();
        if (variants.size() != 1) {
            String choice = variants.isEmpty()
                    ? "no kernel is called " + name + " " + String.join(" ", parameters)
                    : "%d kernels are: choose by PARAMETER=VALUE%n  %s%s"
                            .formatted(
                                    variants.size(),
                                    variants.stream()
                                            .limit(SHOWN)
                                            .map(KernelVariant::name)
                                            .collect(Collectors.joining("\n  ")),
                                    variants.size() > SHOWN ? "\n  ..." : "");
            throw new ParameterException(spec.commandLine(), choice.strip());
        }
        System.out.print(PtxTemplate.expand(variants.getFirst()));
        return ExitCode.OK.code();
    }

    private boolean isMeant(KernelVariant variant) {
        boolean named = variant.name().equals(name)
                || variant.file().equals(name)
                || variant.file().equals(name + "." + variant.architecture());
        return named
                && (architecture.isEmpty() || variant.architecture().equals(architecture))
                && parameters.stream().allMatch(parameter -> has(variant, parameter));
    }

    private static boolean has(KernelVariant variant, String parameter) {
        int equals = parameter.indexOf('=');
        return equals > 0
                && parameter
                        .substring(equals + 1)
                        .equals(String.valueOf(variant.parameters().get(parameter.substring(0, equals))));
    }
}
