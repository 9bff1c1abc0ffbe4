package org.quern.graph;

/// What the backward pass computes again instead of keeping it from the forward pass: less memory for more
/// operations. The results have the same bits.
public enum Recompute {
    /// Nothing.
    NONE,
    /// The outputs of norms and activation functions, from inputs that are kept anyway. Costs next to nothing.
    ACTIVATIONS,
    /// Everything inside a layer but its input. Costs almost a second forward pass.
    BLOCK
}
