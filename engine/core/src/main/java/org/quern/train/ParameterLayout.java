package org.quern.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.quern.executor.TensorStore;
import org.quern.graph.Graph;
import org.quern.graph.Schedule;
import org.quern.graph.Value;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;

/// In which order parameters, and their gradients, lie in memory, and which worker has which.
///
/// The order is that in which the backward pass finishes the gradients, so that what can be summed over the
/// workers at once lies together. Each worker owns parameters that follow one another, about as many values as
/// any other.
///
/// @param order all parameters
/// @param offsets of each in bytes, from the first; one more for the end
/// @param owners of each, ascending
/// @param buckets of gradients that are summed at once
record ParameterLayout(List<Parameter> order, long[] offsets, int[] owners, List<Bucket> buckets) {

    /// Parameters `from` to `to` of the order.
    record Bucket(int from, int to) {}

    /// @param training the graph of a training step
    static ParameterLayout of(Graph training, List<Parameter> parameters, int world, long bucketBytes) {
        Map<String, Integer> finalAfter = Schedule.of(training).finalAfter().entrySet().stream()
                .collect(Collectors.toMap(entry -> entry.getKey().name(), Map.Entry::getValue));
        List<Parameter> order = parameters.stream()
                .sorted(Comparator.comparing(parameter -> finalAfter.get(ModelGraphs.gradient(parameter.name()))))
                .toList();
        long[] offsets = TensorStore.offsets(order.stream()
                .mapToLong(parameter -> parameter.shape().size() * Float.BYTES)
                .toArray());
        double bytes = offsets[order.size()];
        int[] owners = IntStream.range(0, order.size())
                .map(i -> (int) ((offsets[i] + offsets[i + 1]) / 2 / bytes * world))
                .toArray();
        return new ParameterLayout(order, offsets, owners, buckets(offsets, bucketBytes));
    }

    private static List<Bucket> buckets(long[] offsets, long bucketBytes) {
        List<Bucket> buckets = new ArrayList<>();
        int from = 0;
        for (int to = 1; to < offsets.length; to++) {
            if (offsets[to] - offsets[from] >= bucketBytes || to == offsets.length - 1) {
                buckets.add(new Bucket(from, to));
                from = to;
            }
        }
        return buckets;
    }

    /// The states of a graph that hold the gradients.
    List<Value> gradients(Graph graph) {
        return order.stream()
                .map(parameter -> graph.states().get(ModelGraphs.gradient(parameter.name())))
                .toList();
    }

    /// The states of a graph that hold the parameters.
    List<Value> parameters(Graph graph) {
        return order.stream()
                .map(parameter -> graph.states().get(parameter.name()))
                .toList();
    }

    /// The parameters of a worker.
    List<Parameter> owned(int rank) {
        return IntStream.range(0, order.size())
                .filter(i -> owners[i] == rank)
                .mapToObj(order::get)
                .toList();
    }

    /// Where the part of each worker begins in the memory of parameters `from` to `to`, in fp32 values: world +
    /// 1 numbers.
    long[] bounds(int from, int to, int world) {
        long end = offsets[to - 1] + order.get(to - 1).shape().size() * Float.BYTES;
        long[] bounds = new long[world + 1];
        for (int rank = 0; rank <= world; rank++) {
            int first = from;
            while (first < to && owners[first] < rank) {
                first++;
            }
            bounds[rank] = ((first == to ? end : offsets[first]) - offsets[from]) / Float.BYTES;
        }
        return bounds;
    }
}
