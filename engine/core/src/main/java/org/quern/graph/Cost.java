package org.quern.graph;

/// What an operation costs: floating-point operations (a fused multiply-add counts as two) and bytes of the
/// tensors that it reads and writes, each counted once.
public record Cost(double flop, double bytes) {
    public static final Cost NONE = new Cost(0, 0);

    public Cost plus(Cost other) {
        return new Cost(flop + other.flop, bytes + other.bytes);
    }
}
