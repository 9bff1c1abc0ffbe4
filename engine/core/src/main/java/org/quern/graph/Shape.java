package org.quern.graph;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/// The sizes of a tensor, slowest first. Tensors are dense and row-major.
public record Shape(List<Integer> dims) {
    public Shape {
        dims = List.copyOf(dims);
        if (dims.isEmpty() || dims.stream().anyMatch(dim -> dim <= 0)) {
            throw new IllegalArgumentException("a shape needs positive sizes: got " + dims);
        }
    }

    public static Shape of(int... dims) {
        return new Shape(Arrays.stream(dims).boxed().toList());
    }

    public int rank() {
        return dims.size();
    }

    public int dim(int axis) {
        return dims.get(axis);
    }

    /// The last size: the width of a row.
    public int columns() {
        return dims.getLast();
    }

    /// The product of all sizes but the last.
    public int rows() {
        return Math.toIntExact(size() / columns());
    }

    /// The number of elements.
    public long size() {
        long size = 1;
        for (int dim : dims) {
            size = Math.multiplyExact(size, (long) dim);
        }
        return size;
    }

    @Override
    public String toString() {
        return dims.stream().map(String::valueOf).collect(Collectors.joining(", ", "[", "]"));
    }
}
