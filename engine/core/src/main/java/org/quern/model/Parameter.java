package org.quern.model;

import java.util.List;
import org.quern.graph.Shape;

/// A trained tensor of a model.
///
/// Matrices that are multiplied with the same input are one parameter; `parts` says which of its rows are which
/// tensor in Hugging Face's layout.
///
/// @param name the key into the tensor store
/// @param parts the tensors as Hugging Face names them, from the first row to the last
public record Parameter(String name, Shape shape, Kind kind, Initial initial, List<Part> parts) {

    /// What a parameter does.
    public enum Kind {
        /// A bias or the weights of a norm.
        VECTOR,
        /// Rows that are looked up by token or position, or that give the logits.
        EMBEDDING,
        /// A linear layer, [out, in].
        LINEAR,
        /// A linear layer, [in, out].
        LINEAR_TRANSPOSED
    }

    /// A tensor of Hugging Face's layout: all rows of the parameter from `fromRow` on that its shape holds.
    public record Part(String name, Shape shape, int fromRow) {}

    /// How a parameter starts.
    public sealed interface Initial {
        /// Normal with mean 0.
        record Normal(double standardDeviation) implements Initial {}

        /// The same value everywhere.
        record Constant(double value) implements Initial {}
    }

    public Parameter {
        parts = List.copyOf(parts);
    }
}
