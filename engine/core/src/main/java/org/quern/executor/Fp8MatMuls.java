package org.quern.executor;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.graph.Op;
import org.quern.kernels.cuda.Fp8Linear;
import org.quern.kernels.cuda.Fp8Type;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;

/// As [WarpgroupMatMuls], with the products of linear layers in floats of 8 bits: gradients of what layers
/// give in e5m2, all else in e4m3 (Micikevicius et al., 2022), each tensor scaled by what it holds at that
/// moment.
final class Fp8MatMuls extends WarpgroupMatMuls {
    @Override
    public GpuKernel ofLayer(
            KernelLibrary library,
            Op.Role role,
            Shape shape,
            Matrix a,
            Matrix b,
            Matrix c,
            Epilogue epilogue,
            DeviceMemory workspace) {
        return role == Op.Role.OTHER
                ? of(library, shape, a, b, c, epilogue, workspace)
                : new Fp8Linear(
                        library,
                        shape,
                        a,
                        role == Op.Role.GRADIENT_A ? Fp8Type.E5M2 : Fp8Type.E4M3,
                        b,
                        role == Op.Role.GRADIENT_B ? Fp8Type.E5M2 : Fp8Type.E4M3,
                        c,
                        epilogue,
                        workspace);
    }

    @Override
    public long layerWorkspaceBytes(DeviceProperties device, Op.Role role, Shape shape) {
        return role == Op.Role.OTHER ? workspaceBytes(device, shape) : Fp8Linear.workspaceBytes(device, shape);
    }
}
