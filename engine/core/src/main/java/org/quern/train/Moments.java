package org.quern.train;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.NamedTensor.DType;
import org.quern.checkpoint.TensorFiles;
import org.quern.checkpoint.TensorSpec;
import org.quern.graph.Value;
import org.quern.model.Model;
import org.quern.optimizer.OptimizerGraphs;
import org.quern.optimizer.OptimizerSettings;

/// The optimiser's states, and where they are.
///
/// @param all in the order of the parameters
/// @param owners the only worker that has a state; empty: all workers have all
record Moments(List<TensorSpec> all, Map<String, Integer> owners) {

    /// @param dealtOut whose parameters are whose, if each worker has the states of its own alone
    static Moments of(OptimizerSettings settings, Model model, Optional<ParameterLayout> dealtOut, int world) {
        OptimizerGraphs optimizer = new OptimizerGraphs(settings, model.parameters());
        Map<String, Value> states = optimizer.update().states();
        List<TensorSpec> all = optimizer.states().stream()
                .map(name -> new TensorSpec(
                        name,
                        dtype(states.get(name)),
                        states.get(name).shape().dims().stream()
                                .map(Integer::longValue)
                                .toList()))
                .toList();
        Map<String, Integer> owners = new HashMap<>();
        dealtOut.ifPresent(layout -> {
            for (int rank = 0; rank < world; rank++) {
                for (String name : new OptimizerGraphs(settings, layout.owned(rank)).states()) {
                    owners.put(name, rank);
                }
            }
        });
        return new Moments(all, owners);
    }

    private static DType dtype(Value state) {
        return switch (state.type()) {
            case F32 -> DType.F32;
            case BF16 -> DType.BF16;
            case I32, E4M3, E5M2 -> throw new IllegalStateException(state + " is no moment");
        };
    }

    /// Those that a worker has.
    List<TensorSpec> at(int rank) {
        return all.stream()
                .filter(state -> owners.getOrDefault(state.name(), rank) == rank)
                .toList();
    }

    /// The files that they are written to.
    TensorFiles files(long maxBytes, int world) {
        return owners.isEmpty()
                ? TensorFiles.shared(Checkpoint.OPTIMIZER, all, maxBytes, world)
                : TensorFiles.owned(Checkpoint.OPTIMIZER, all, maxBytes, state -> owners.get(state.name()));
    }
}
