package org.quern.train;

import java.lang.foreign.ValueLayout;
import java.util.List;
import org.quern.executor.Executor;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.model.Parameter;
import org.quern.optimizer.OptimizerGraphs;

/// Computes the norm of the whole gradient, and the factor that clips it, into a state.
sealed interface GradientNorm {
    void run();

    /// This worker has the whole gradient.
    record Whole(Program norm) implements GradientNorm {
        @Override
        public void run() {
            norm.run();
        }
    }

    /// Each worker has the gradient of its own parameters: the sums of their squares go to all workers, and
    /// come together in the order of `Whole`.
    final class Sharded implements GradientNorm {
        private final TensorStore tensors;
        private final Workers workers;
        private final Program squares;
        private final Program clip;
        private final List<Parameter> parameters;
        private final int[] owners;
        private final double[] sums;

        Sharded(Executor executor, OptimizerGraphs own, OptimizerGraphs all, ParameterLayout layout, Workers workers) {
            this.workers = workers;
            tensors = executor.tensors();
            squares = executor.prepare(own.squares());
            clip = executor.prepare(all.clip());
            parameters = layout.order();
            owners = layout.owners();
            sums = new double[parameters.size()];
        }

        @Override
        public void run() {
            squares.run();
            for (int i = 0; i < sums.length; i++) {
                if (owners[i] == workers.rank()) {
                    String state = OptimizerGraphs.square(parameters.get(i));
                    tensors.pull(state);
                    sums[i] = tensors.host(state).get(ValueLayout.JAVA_FLOAT, 0);
                }
            }
            double[] all = workers.gather(sums);
            for (int i = 0; i < sums.length; i++) {
                String state = OptimizerGraphs.square(parameters.get(i));
                tensors.host(state).set(ValueLayout.JAVA_FLOAT, 0, (float) all[owners[i] * sums.length + i]);
                tensors.push(state);
            }
            clip.run();
        }
    }
}
