package org.quern.kernels.bench;

import org.quern.kernels.cuda.Attention.Shape;

/// Attention of training.
///
/// @param use in a model; or empty
public record AttentionTraining(String use, Shape shape) {
    /// As benchmarks call it, without the pass: `gpt2-124m 64x1024, 12 heads of 64`.
    public String name() {
        String heads = shape.heads() == shape.keyValueHeads()
                ? "" + shape.heads()
                : shape.heads() + "/" + shape.keyValueHeads();
        return "%s%dx%d, %s heads of %d"
                .formatted(use.isEmpty() ? "" : use + " ", shape.sequences(), shape.length(), heads, shape.headDim());
    }

    /// The name of its gradient's benchmark.
    public String backward() {
        return "attention backward " + name();
    }

    /// Of its gradient.
    public double backwardFlop() {
        double pairs = (double) shape.sequences() * shape.length() * (shape.length() + 1) / 2;
        return AttentionBenchmarks.BACKWARD_FLOP * pairs * shape.heads() * shape.headDim();
    }
}
