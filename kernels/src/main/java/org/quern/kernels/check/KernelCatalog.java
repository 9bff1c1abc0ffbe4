package org.quern.kernels.check;

import java.util.List;
import java.util.stream.Stream;
import org.quern.kernels.cuda.MatMul;

/// All kernels of Quern, family by family.
public final class KernelCatalog {
    private KernelCatalog() {}

    /// The probes first: where they fail, no kernel's result means anything.
    public static List<KernelFamily> families() {
        return List.of(
                new KernelFamily("probe", ProbeCases.variants(), ProbeCases::cases, Stream::empty),
                new KernelFamily("matmul", MatMul.variants(), MatMulCases::cases, MatMulCases::slowCases));
    }
}
