package org.quern.launcher;

import java.util.List;
import java.util.Optional;
import org.quern.executor.KernelProvider;
import org.quern.executor.TunedPlans;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.bench.Product;
import org.quern.kernels.bench.ProductTuner;
import org.quern.kernels.bench.ProductTuner.Tuned;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;

/// A product by the kernels of a provider.
record ProductTuning(Product product, KernelProvider provider) implements TuningTask<TunedPlans.Row> {
    @Override
    public String benchmark() {
        return product.name();
    }

    @Override
    public String sizes() {
        return product.sizes();
    }

    @Override
    public Optional<TunedPlans.Row> known(TunedPlans plans) {
        return plans.row(provider, product.shape());
    }

    @Override
    public Found<TunedPlans.Row> measure(ProductTuner tuner, DeviceProperties device) {
        List<? extends ProductPlan> candidates = candidates(device);
        Tuned tuned = tuner.tune(product, candidates);
        Optional<TunedPlans.Row> row = tuned.tried().stream()
                .findFirst()
                .map(best -> new TunedPlans.Row(
                        product.use(),
                        provider,
                        product.shape(),
                        best.plan().tile().name(),
                        best.plan().splits(),
                        best.timing().median(),
                        best.timing().spread(),
                        tuned.tried().stream()
                                .filter(one -> one.plan().equals(candidates.getFirst()))
                                .findFirst()
                                .map(one -> one.timing().median())
                                .orElse(0.0),
                        tuned.tried().size()));
        return new Found<>(row, tuned.refusals());
    }

    /// The one that is chosen without a table first.
    private List<? extends ProductPlan> candidates(DeviceProperties device) {
        Shape shape = product.shape();
        return switch (provider) {
            case PTX -> MatMulPlan.candidates(device, shape);
            case WARPGROUPS -> WarpgroupMatMulPlan.candidates(device, shape);
            case FP8 -> Fp8MatMul.Plan.candidates(device, shape.m(), shape.n(), shape.k());
            case LIBRARY -> throw new IllegalArgumentException("cuBLAS chooses for itself");
        };
    }

    @Override
    public TunedPlans into(TunedPlans plans, TunedPlans.Row row, String date) {
        return plans.with(row, date);
    }

    @Override
    public String line(TunedPlans.Row row, DeviceProperties device) {
        return TuningTask.line(
                product.use() + ", " + product.shape(),
                provider,
                "%s, k in %d".formatted(row.tile(), row.splits()),
                row.seconds(),
                row.spread(),
                product.flop(),
                row.modelSeconds());
    }
}
