package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.MixedPrecision;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;

class RooflineTest {
    private static final Device.Speed SPEED = new Device.Speed(1e12, 1e10, 1e9);

    @Test
    void largeProductsAreBoundByArithmetic() {
        Graph graph = product(4096);
        assertThat(Roofline.seconds(graph, SPEED)).isCloseTo(2 * Math.pow(4096, 3) / 0.65e12, within(1e-6));
    }

    /// The weights are read from their bf16 copy: three tensors of two bytes.
    @Test
    void smallProductsAreBoundByMemory() {
        Graph graph = product(16);
        assertThat(Roofline.seconds(graph, SPEED)).isCloseTo(3 * 2 * 16 * 16 / 0.8e10, within(1e-12));
    }

    private static Graph product(int size) {
        Graph graph = new Graph();
        Shape shape = Shape.of(size, size);
        Value x = graph.state("x", shape, DType.F32);
        Value y = graph.add("y", new Op.MatMul(false, true), x, graph.state("w", shape, DType.F32));
        assertThat(y.shape()).isEqualTo(shape);
        return MixedPrecision.lower(graph);
    }

    /// A ring of 4: each sends 6 quarters of what it holds.
    @Test
    void gradientsGoAroundARing() {
        assertThat(Roofline.allReduceSeconds(1_000_000_000, 4, SPEED)).isCloseTo(1.5 / 0.7, within(1e-9));
        assertThat(Roofline.allReduceSeconds(1_000_000_000, 1, SPEED)).isZero();
        Device.Speed fast = new Device.Speed(1e12, 1e10, 450e9);
        assertThat(Roofline.allReduceSeconds(1_000_000_000, 16, fast))
                .isCloseTo(2 * 15 / 16.0 / (8 * 50 * 0.7), within(1e-9));
    }

    /// Of three parts of a micro-batch, two are its backward pass.
    @Test
    void sumsGoOnBesideTheLastBackwardPass() {
        assertThat(Roofline.exposedSeconds(1, 6, 3)).isZero();
        assertThat(Roofline.exposedSeconds(2, 6, 4)).isCloseTo(1, within(1e-9));
    }
}
