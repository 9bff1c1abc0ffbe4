package org.quern.train;

import java.util.ArrayList;
import java.util.List;
import org.quern.executor.Executor;
import org.quern.executor.Program;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Node.Output;
import org.quern.graph.Op;
import org.quern.graph.Value;

/// Sums the gradients of a worker's shares, which come one after the other, as a balanced tree: [0, n) is the
/// sum of [0, m) and [m, n), m being the largest power of two below n. Level l holds the sum of 2^l shares
/// meanwhile, so that there are log2 n of them.
final class GradientFold {
    private final int shares;
    private final List<Program> keep = new ArrayList<>();
    private final List<Program> add = new ArrayList<>();

    /// @param gradients the states that hold the gradients of the share just computed, and in the end those of
    ///     all
    GradientFold(Executor executor, List<Value> gradients, int shares) {
        this.shares = shares;
        for (int level = 0; level < levels(shares); level++) {
            keep.add(executor.prepare(copy(gradients, level, false)));
            add.add(executor.prepare(copy(gradients, level, true)));
        }
    }

    /// Levels of the tree: how many times the memory of all gradients it takes.
    static int levels(int shares) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(shares - 1);
    }

    private static Graph copy(List<Value> gradients, int level, boolean add) {
        Graph graph = new Graph();
        for (Value gradient : gradients) {
            Value shares = graph.state(gradient.name(), gradient.shape(), DType.F32);
            Value sum = graph.state("level." + level + "." + gradient.name(), gradient.shape(), DType.F32);
            graph.addInto(new Op.Cast(), List.of(add ? sum : shares), List.of(new Output(add ? shares : sum, add)));
        }
        return graph;
    }

    /// Takes the gradients of a share. After the last one, the gradients are those of all.
    ///
    /// @param share in ascending order from 0
    void take(int share) {
        int level = 0;
        while ((share >> level & 1) == 1) {
            add.get(level++).run();
        }
        if (share < shares - 1) {
            keep.get(level).run();
            return;
        }
        for (; share >> level != 0; level++) {
            if ((share >> level & 1) == 1) {
                add.get(level).run();
            }
        }
    }
}
