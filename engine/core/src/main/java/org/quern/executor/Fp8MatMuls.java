package org.quern.executor;

import org.quern.graph.EightBits;
import org.quern.graph.Graph;
import org.quern.graph.Shape;
import org.quern.kernels.cuda.Fp8Matrix;

/// As [WarpgroupMatMuls], with the products of linear layers in floats of 8 bits.
final class Fp8MatMuls extends WarpgroupMatMuls {
    @Override
    public Graph lower(Graph graph) {
        return EightBits.lower(super.lower(graph), Fp8MatMuls::copy);
    }

    /// The scales of a matrix lie in rows behind it.
    private static Shape copy(int rows, int columns) {
        int stride = Fp8Matrix.stride(columns);
        return Shape.of(Math.toIntExact(Math.ceilDiv(Fp8Matrix.bytes(rows, columns), stride)), stride);
    }
}
