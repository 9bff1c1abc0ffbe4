package org.quern.train.profile;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.executor.Operation;
import org.quern.graph.Cost;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;
import org.quern.train.Device;
import org.quern.train.KnownGpus;

class ProfileTableTest {
    /// 989.4 TFLOP/s and 3.35 TB/s.
    private static final Device H100 = KnownGpus.named("h100-80gb").orElseThrow();

    @Test
    void comparesWithTheCeilingThatBinds() {
        Graph graph = new Graph();
        Value a = graph.state("a", Shape.of(4, 4), DType.F32);
        Value b = graph.add("b", new Op.MatMul(false, false), a, a);
        graph.add("c", new Op.Add(), a, b);
        // Half a second of arithmetic in one; a tenth of a second of traffic in 0.2.
        Operation product = new Operation(List.of(graph.nodes().get(0)), new Cost(494.7e12, 1e9));
        Operation sum = new Operation(List.of(graph.nodes().get(1)), new Cost(1, 335e9));
        TimedStep first = new TimedStep(
                7,
                2_000_000_000,
                List.of(
                        new TimedOperation(product, 0, 1_000_000_000),
                        new TimedOperation(sum, 1_000_000_000, 100_000_000)));
        TimedStep second = new TimedStep(
                8,
                1_000_000_000,
                List.of(
                        new TimedOperation(product, 2_000_000_000, 1_000_000_000),
                        new TimedOperation(sum, 3_000_000_000L, 300_000_000)));
        assertThat(new ProfileTable(List.of(first, second), H100, "somebody's").toString())
                .isEqualTo("""
                        Operations of steps 7 to 8 on h100-80gb, for a step.
                        Times: somebody's. By the host's clock a step took 1500.0 ms while it was timed.
                        Ceiling: 989 TFLOP/s or 3.35 TB/s, whichever binds; published peaks, not measured.
                        operation   calls         ms    time    FLOP/s   bytes/s  ceiling
                        MatMul          1   1000.000  83.3 %     495 T    1.00 G   50.0 %
                        Add             1    200.000  16.7 %         5    1.68 T   50.0 %
                        all             2   1200.000 100.0 %     412 T     280 G   50.0 %
                        """);
    }
}
