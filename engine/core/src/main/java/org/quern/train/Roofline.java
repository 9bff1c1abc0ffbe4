package org.quern.train;

import org.quern.graph.Graph;
import org.quern.graph.MixedPrecision;
import org.quern.graph.Node;
import org.quern.graph.Op;

/// Expects of a device how long it takes: each operation as long as its arithmetic or its memory traffic,
/// whichever is longer, at a share of the published peaks. The shares are estimates that no measurement stands
/// behind.
final class Roofline {
    private static final double MATMUL = 0.65;
    private static final double ATTENTION = 0.45;
    private static final double MEMORY = 0.80;
    private static final double LINK = 0.70;

    /// GPUs of a machine.
    private static final int MACHINE = 8;

    /// What a machine sends to others: a network of 400 Gbit/s for each of its GPUs.
    private static final double NETWORK_BYTES = MACHINE * 50e9;

    /// The share of a micro-batch's forward and backward pass during which gradients become final: the
    /// backward pass.
    private static final double BACKWARD = 2 / 3.0;

    /// The shares, for people.
    static final String ASSUMED =
            "estimate, not measured: products at %.0f %%, attention at %.0f %%, memory at %.0f %% of peak"
                    .formatted(100 * MATMUL, 100 * ATTENTION, 100 * MEMORY);

    private Roofline() {}

    /// Seconds that a graph takes, one operation after the other.
    ///
    /// @param graph as the device runs it
    static double seconds(Graph graph, Device.Speed speed) {
        return graph.nodes().stream().mapToDouble(node -> seconds(node, speed)).sum();
    }

    private static double seconds(Node node, Device.Speed speed) {
        double efficiency = switch (node.op()) {
            case Op.MatMul _, Op.LinearCrossEntropy _, Op.LinearCrossEntropyGradient _ -> MATMUL;
            // Tensor cores multiply twice as many floats of 8 bits.
            case Op.QuantizedMatMul _ -> 2 * MATMUL;
            case Op.Attention _, Op.AttentionGradient _, Op.CachedAttention _ -> ATTENTION;
            // No tensor cores, but so little arithmetic that memory decides.
            default -> Double.POSITIVE_INFINITY;
        };
        double arithmetic = node.cost().flop() / (speed.flop() * efficiency);
        return Math.max(arithmetic, MixedPrecision.bytes(node) / (speed.memoryBytes() * MEMORY));
    }

    /// Seconds that the sum of the gradients over all devices takes, each of which ends up with all of it: a
    /// ring, where every device sends 2 (n - 1) / n of its bytes, over all links of a machine at once. Beyond
    /// one machine of 8, the network between them carries what the links within do.
    static double allReduceSeconds(long bytes, int devices, Device.Speed speed) {
        double link = devices > MACHINE ? Math.min(NETWORK_BYTES, speed.linkBytes()) : speed.linkBytes();
        return 2.0 * (devices - 1) / devices * bytes / (link * LINK);
    }

    /// What of that is left to wait for when the sums go on beside the backward pass of the last micro-batch.
    static double exposedSeconds(double reducing, double computing, int microBatches) {
        return Math.max(0, reducing - BACKWARD * computing / microBatches);
    }
}
