package org.quern.launcher;

import java.util.List;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Executor;
import org.quern.executor.Program;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;

/// How fast this machine multiplies matrices.
final class MatrixSpeed {
    private static final int SIZE = 512;
    /// The first runs come before the compiler.
    private static final int RUNS = 100;

    private static final double SECONDS = 1;

    private MatrixSpeed() {}

    /// The best of a hundred runs, or of what fits into a second.
    ///
    /// @return floating-point operations a second
    static double measure(int threads) {
        Graph graph = new Graph();
        Shape shape = Shape.of(SIZE, SIZE);
        Value left = graph.state("left", shape, DType.F32);
        Value right = graph.state("right", shape, DType.F32);
        Value product = graph.state("product", shape, DType.F32);
        graph.addInto(new Op.MatMul(false, false), List.of(left, right), List.of(new Node.Output(product, false)));
        try (Executor executor = new CpuExecutor(threads)) {
            Program program = executor.prepare(graph);
            long begin = System.nanoTime();
            long best = Long.MAX_VALUE;
            for (int run = 0; run < RUNS || System.nanoTime() - begin < SECONDS * 1e9; run++) {
                long start = System.nanoTime();
                program.run();
                best = Math.min(best, System.nanoTime() - start);
            }
            return graph.cost().flop() / (best / 1e9);
        }
    }
}
