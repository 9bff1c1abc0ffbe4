package org.quern.kernels.cuda;

import org.quern.gpu.DeviceProperties;
import org.quern.kernels.cuda.MatMul.Shape;

/// Chooses how products are computed, by the kernels of each kind.
public interface ProductPlans {
    /// By the kernels' models.
    ProductPlans MODELLED = new ProductPlans() {
        @Override
        public MatMulPlan warps(DeviceProperties device, Shape shape) {
            return MatMulPlan.choose(device, shape.m(), shape.n(), shape.k());
        }

        @Override
        public WarpgroupMatMulPlan warpgroups(DeviceProperties device, Shape shape) {
            return WarpgroupMatMulPlan.choose(device, shape);
        }

        @Override
        public Fp8MatMul.Plan fp8(DeviceProperties device, Shape shape) {
            return Fp8MatMul.Plan.choose(device, shape.m(), shape.n(), shape.k());
        }
    };

    /// By `mma.sync`.
    MatMulPlan warps(DeviceProperties device, Shape shape);

    /// By `wgmma`.
    WarpgroupMatMulPlan warpgroups(DeviceProperties device, Shape shape);

    /// By `wgmma`, in floats of 8 bits that both matrices have become.
    Fp8MatMul.Plan fp8(DeviceProperties device, Shape shape);
}
