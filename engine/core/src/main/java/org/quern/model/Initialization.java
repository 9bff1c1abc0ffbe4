package org.quern.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.stream.IntStream;
import org.quern.base.Philox;

/// The initial weights: a pure function of (seed, index of the parameter, index of the element).
public final class Initialization {
    /// The random stream of initial weights.
    private static final int STREAM = 1;

    private static final int BLOCK = 1 << 16;

    private Initialization() {}

    /// Fills a parameter.
    ///
    /// @param index its place in `Model.parameters()`
    /// @param weights fp32 of the parameter's size
    public static void fill(List<Parameter> parameters, int index, long seed, MemorySegment weights) {
        switch (parameters.get(index).initial()) {
            case Parameter.Initial.Constant(double value) -> {
                long size = parameters.get(index).shape().size();
                for (long i = 0; i < size; i++) {
                    weights.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
                }
            }
            case Parameter.Initial.Normal(double deviation) -> {
                long size = parameters.get(index).shape().size();
                IntStream.range(0, Math.toIntExact((size + BLOCK - 1) / BLOCK))
                        .parallel()
                        .forEach(block -> {
                            long end = Math.min(size, (block + 1L) * BLOCK);
                            for (long i = (long) block * BLOCK; i < end; i++) {
                                weights.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float)
                                        (deviation * Philox.normal(seed, STREAM, index, i)));
                            }
                        });
            }
        }
    }
}
