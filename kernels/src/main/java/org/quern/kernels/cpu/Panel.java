package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.put;

/// Packs panels: `width` columns of a matrix, step by step over its depth, so that the numbers of a step lie side by
/// side.
///
/// A panel at the edge, with fewer columns than its width, is filled up with zeros.
final class Panel {
    private Panel() {}

    /// Packs columns that lie side by side: number `i` of step `p` is at `source[p * stride + i]`.
    static void copy(long source, int stride, int columns, int depth, long target, int width) {
        for (int p = 0; p < depth; p++) {
            long from = source + (long) p * stride * Float.BYTES;
            long to = target + (long) p * width * Float.BYTES;
            for (int i = 0; i < columns; i++) {
                put(to + i * 4L, get(from + i * 4L));
            }
            for (int i = columns; i < width; i++) {
                put(to + i * 4L, 0);
            }
        }
    }

    /// Packs columns each of which lies in one piece: number `i` of step `p` is at `source[i * stride + p]`.
    static void transpose(long source, int stride, int columns, int depth, long target, int width) {
        for (int i = 0; i < columns; i++) {
            long from = source + (long) i * stride * Float.BYTES;
            for (int p = 0; p < depth; p++) {
                put(target + ((long) p * width + i) * 4, get(from + p * 4L));
            }
        }
        for (int i = columns; i < width; i++) {
            for (int p = 0; p < depth; p++) {
                put(target + ((long) p * width + i) * 4, 0);
            }
        }
    }
}
