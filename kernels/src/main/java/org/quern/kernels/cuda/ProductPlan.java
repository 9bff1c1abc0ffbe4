package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// How a matrix product is computed: by which kernel, and k split into how many parts.
public sealed interface ProductPlan permits MatMulPlan, WarpgroupMatMulPlan, Fp8MatMul.Plan {
    /// The most that the parts of a split product may take, in bytes.
    long WORKSPACE_LIMIT = 128L << 20;

    /// What blocks compute of C at a time.
    ProductTile tile();

    /// Part of k that is one step.
    int tileK();

    /// Whether a multiprocessor multiplies for one tile while it finishes another.
    boolean overlaps();

    /// Parts of k that are summed into fp32 workspace, and then added in order.
    int splits();

    /// The workspace for an [m, n] result; 0 if k is not split.
    default long workspaceBytes(int m, int n) {
        return splits() == 1 ? 0 : splits() * partBytes(m, n);
    }

    /// From one part of a split product to the next, aligned.
    static long partBytes(int m, int n) {
        return Math.ceilDiv((long) m * n * Float.BYTES, 256) * 256;
    }

    /// Those that may be the fastest, the one of the least cost first.
    ///
    /// A cost is an estimate: plans of up to twice the least are in it, but of each tile no more than three.
    static <P extends ProductPlan> List<P> candidates(List<P> all, ToDoubleFunction<P> cost) {
        List<P> sorted = all.stream().sorted(Comparator.comparingDouble(cost)).toList();
        double most = 2 * cost.applyAsDouble(sorted.getFirst());
        List<P> candidates = new ArrayList<>();
        for (P plan : sorted) {
            long before = candidates.stream()
                    .filter(other -> other.tile() == plan.tile())
                    .count();
            if (cost.applyAsDouble(plan) <= most && before < 3) {
                candidates.add(plan);
            }
        }
        return candidates;
    }
}
