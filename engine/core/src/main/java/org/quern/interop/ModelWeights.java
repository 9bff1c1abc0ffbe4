package org.quern.interop;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.quern.checkpoint.NamedTensor;
import org.quern.executor.TensorStore;
import org.quern.model.Model;
import org.quern.model.Parameter;

/// The weights of a model on a device as the tensors of Hugging Face's layout: views of the host's memory.
public final class ModelWeights {
    private ModelWeights() {}

    /// Names the weights in a host's memory.
    ///
    /// @param memory of each parameter
    public static List<NamedTensor> views(Model model, Function<String, MemorySegment> memory) {
        List<NamedTensor> views = new ArrayList<>();
        for (Parameter parameter : model.parameters()) {
            MemorySegment rows = memory.apply(parameter.name());
            long rowBytes = (long) parameter.shape().columns() * Float.BYTES;
            for (Parameter.Part part : parameter.parts()) {
                long bytes = part.shape().size() * Float.BYTES;
                long[] shape = part.shape().dims().stream()
                        .mapToLong(Integer::longValue)
                        .toArray();
                views.add(NamedTensor.floats(part.name(), rows.asSlice(part.fromRow() * rowBytes, bytes), shape));
            }
        }
        return views;
    }

    /// Replaces all weights.
    ///
    /// @param source where the tensors were read, for messages
    /// @throws org.quern.base.QuernException naming every tensor that is missing, unknown or of another shape
    public static void push(Model model, TensorStore tensors, String source, List<NamedTensor> from) {
        NamedTensor.copyAll(source, from, views(model, tensors::host));
        model.parameters().forEach(parameter -> tensors.push(parameter.name()));
    }
}
