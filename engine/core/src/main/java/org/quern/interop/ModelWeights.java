package org.quern.interop;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.TensorSpec;
import org.quern.executor.TensorStore;
import org.quern.graph.Shape;
import org.quern.model.Model;
import org.quern.model.Parameter;

/// The weights of a model on a device as the tensors of Hugging Face's layout: views of the host's memory.
public final class ModelWeights {
    private ModelWeights() {}

    /// What the tensors are.
    public static List<TensorSpec> specs(List<Parameter> parameters) {
        return parameters.stream()
                .flatMap(parameter -> parameter.parts().stream())
                .map(part -> new TensorSpec(part.name(), NamedTensor.DType.F32, longs(part.shape())))
                .toList();
    }

    /// Names the weights in a host's memory.
    ///
    /// @param memory of each parameter
    public static List<NamedTensor> views(List<Parameter> parameters, Function<String, MemorySegment> memory) {
        List<NamedTensor> views = new ArrayList<>();
        for (Parameter parameter : parameters) {
            MemorySegment rows = memory.apply(parameter.name());
            long rowBytes = (long) parameter.shape().columns() * Float.BYTES;
            for (Parameter.Part part : parameter.parts()) {
                long bytes = part.shape().size() * Float.BYTES;
                views.add(new NamedTensor(
                        part.name(),
                        NamedTensor.DType.F32,
                        longs(part.shape()),
                        rows.asSlice(part.fromRow() * rowBytes, bytes)));
            }
        }
        return views;
    }

    private static List<Long> longs(Shape shape) {
        return shape.dims().stream().map(Integer::longValue).toList();
    }

    /// Replaces all weights.
    ///
    /// @param source where the tensors were read, for messages
    /// @throws org.quern.base.QuernException naming every tensor that is missing, unknown or of another shape
    public static void push(Model model, TensorStore tensors, String source, List<NamedTensor> from) {
        NamedTensor.copyAll(source, from, views(model.parameters(), tensors::host));
        model.parameters().forEach(parameter -> tensors.push(parameter.name()));
    }
}
