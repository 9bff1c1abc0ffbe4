package org.quern.checkpoint;

import java.util.List;
import org.quern.checkpoint.NamedTensor.DType;

/// What a tensor of a file is, without its elements.
///
/// @param name its name, in Hugging Face's terms for the weights of a model
/// @param dtype the type of its elements
/// @param shape its sizes, slowest first; empty: a single value
public record TensorSpec(String name, DType dtype, List<Long> shape) {
    public TensorSpec {
        shape = List.copyOf(shape);
    }

    /// Bytes that its elements take.
    ///
    /// @throws ArithmeticException if a long cannot hold them
    public long bytes() {
        long bytes = dtype.bytes();
        for (long size : shape) {
            bytes = Math.multiplyExact(bytes, size);
        }
        return bytes;
    }
}
