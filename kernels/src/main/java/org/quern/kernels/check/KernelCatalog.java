package org.quern.kernels.check;

import java.util.List;
import java.util.stream.Stream;
import org.quern.kernels.cuda.FusedAttentionGradient;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.kernels.cuda.WarpgroupMatMul;

/// All kernels of Quern, family by family.
public final class KernelCatalog {
    private KernelCatalog() {}

    /// The probes first: where they fail, no kernel's result means anything.
    public static List<KernelFamily> families() {
        return List.of(
                new KernelFamily("probe", ProbeCases.variants(), ProbeCases::cases, Stream::empty),
                new KernelFamily("approximation", List.of(), ProbeCases::approximations, Stream::empty),
                new KernelFamily(
                        "warpgroup probe", WarpgroupProbeCases.variants(), WarpgroupProbeCases::cases, Stream::empty),
                new KernelFamily("matmul", MatMul.variants(), MatMulCases::cases, MatMulCases::slowCases),
                new KernelFamily(
                        "warpgroup matmul",
                        WarpgroupMatMul.variants(),
                        MatMulCases::warpgroupCases,
                        MatMulCases::slowWarpgroupCases),
                new KernelFamily("fp8", Fp8Cases.variants(), Fp8Cases::cases, Fp8Cases::slowCases),
                new KernelFamily(
                        "attention", AttentionCases.variants(), AttentionCases::cases, AttentionCases::slowCases),
                new KernelFamily(
                        "warpgroup attention",
                        WarpgroupAttention.variants(),
                        AttentionCases::warpgroupCases,
                        AttentionCases::slowWarpgroupCases),
                new KernelFamily(
                        "fused attention gradient",
                        FusedAttentionGradient.variants(),
                        AttentionCases::fusedCases,
                        AttentionCases::slowFusedCases),
                new KernelFamily("norm", NormCases.variants(), NormCases::cases, NormCases::slowCases),
                new KernelFamily(
                        "activation", ActivationCases.variants(), ActivationCases::cases, ActivationCases::slowCases),
                new KernelFamily(
                        "embedding", EmbeddingCases.variants(), EmbeddingCases::cases, EmbeddingCases::slowCases),
                new KernelFamily(
                        "cross-entropy",
                        CrossEntropyCases.variants(),
                        CrossEntropyCases::cases,
                        CrossEntropyCases::slowCases),
                new KernelFamily("sum", SumCases.variants(), SumCases::cases, SumCases::slowCases),
                new KernelFamily(
                        "pointwise", PointwiseCases.variants(), PointwiseCases::cases, PointwiseCases::slowCases),
                new KernelFamily(
                        "optimizer", OptimizerCases.variants(), OptimizerCases::cases, OptimizerCases::slowCases),
                new KernelFamily("sampling", SamplingCases.variants(), SamplingCases::cases, SamplingCases::slowCases));
    }

    /// The cases of all families, in their order.
    ///
    /// @param slow whether with the slow ones
    public static Stream<CatalogCase> cases(boolean slow) {
        return families().stream().flatMap(family -> family.allCases(slow));
    }
}
