package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.getInt;
import static org.quern.kernels.cpu.Native.load;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/// Rotary positions (Su et al., 2021) on fused queries, keys and values, and their gradient.
///
/// Rotates columns i and i + headDim / 2 of each query and key head by position * inverseFrequencies[i], as
/// Hugging Face's Llama does. Values are copied, or left alone in place. The gradient is the rotation
/// backwards.
public final class Rope extends Rowwise {
    private final MemorySegment x;
    private final MemorySegment positions;
    private final MemorySegment cos;
    private final MemorySegment sin;
    private final boolean backwards;
    private final MemorySegment out;
    private final boolean accumulate;
    private final int tablePositions;
    private final int rotatedHeads;
    private final int valueHeads;
    private final int headDim;

    /// @param x [rows, (heads + 2 keyValueHeads) * headDim]: query heads, key heads, value heads
    /// @param positions int32 [rows]; running fails on one outside the table
    /// @param cos [tablePositions, headDim / 2], see [#fillTables]
    /// @param sin as `cos`
    /// @param backwards whether to rotate by minus the angle
    /// @param out as `x`; may be `x` unless it accumulates
    public Rope(
            MemorySegment x,
            MemorySegment positions,
            MemorySegment cos,
            MemorySegment sin,
            boolean backwards,
            MemorySegment out,
            boolean accumulate,
            int rows,
            int heads,
            int keyValueHeads,
            int headDim,
            int tablePositions) {
        super(rows, (heads + 2 * keyValueHeads) * headDim);
        if (headDim % 2 != 0) {
            throw new IllegalArgumentException("headDim must be even: got " + headDim);
        }
        long size = (long) rows * (heads + 2 * keyValueHeads) * headDim;
        this.x = Buffers.floats(x, size);
        this.positions = Buffers.ints(positions, rows);
        this.cos = Buffers.floats(cos, (long) tablePositions * (headDim / 2));
        this.sin = Buffers.floats(sin, (long) tablePositions * (headDim / 2));
        this.backwards = backwards;
        this.out = Buffers.floats(out, size);
        this.accumulate = accumulate;
        this.tablePositions = tablePositions;
        this.rotatedHeads = heads + keyValueHeads;
        this.valueHeads = keyValueHeads;
        this.headDim = headDim;
    }

    /// The angle of each pair of columns at position 1: theta^(-2i / headDim).
    public static double[] inverseFrequencies(int headDim, double theta) {
        double[] inverse = new double[headDim / 2];
        for (int i = 0; i < inverse.length; i++) {
            inverse[i] = StrictMath.pow(theta, -2.0 * i / headDim);
        }
        return inverse;
    }

    /// Stretches frequencies for longer contexts as Llama 3.1 does (`rope_type: llama3`): wavelengths over
    /// originalContext / lowFactor by `factor`, those under originalContext / highFactor not at all, and those
    /// between by a blend.
    public static double[] llama3(
            double[] inverseFrequencies, double factor, double lowFactor, double highFactor, int originalContext) {
        double[] scaled = new double[inverseFrequencies.length];
        for (int i = 0; i < scaled.length; i++) {
            double turns = originalContext * inverseFrequencies[i] / (2 * Math.PI);
            double share = Math.clamp((turns - lowFactor) / (highFactor - lowFactor), 0, 1);
            scaled[i] = (1 - share) * inverseFrequencies[i] / factor + share * inverseFrequencies[i];
        }
        return scaled;
    }

    /// Fills the tables of cosines and sines, computed in double.
    ///
    /// @param cos [positions, inverseFrequencies.length]
    /// @param sin as `cos`
    public static void fillTables(double[] inverseFrequencies, int positions, MemorySegment cos, MemorySegment sin) {
        long at = 0;
        for (int position = 0; position < positions; position++) {
            for (double inverse : inverseFrequencies) {
                double angle = position * inverse;
                cos.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, (float) StrictMath.cos(angle));
                sin.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, (float) StrictMath.sin(angle));
                at += Float.BYTES;
            }
        }
    }

    @Override
    void rows(int from, int to) {
        long positions = address(this.positions);
        long headBytes = (long) headDim * Float.BYTES;
        long rowBytes = (rotatedHeads + valueHeads) * headBytes;
        for (int row = from; row < to; row++) {
            long x = address(this.x) + row * rowBytes;
            long out = address(this.out) + row * rowBytes;
            long table = Objects.checkIndex(getInt(positions + 4L * row), tablePositions) * (headBytes / 2);
            long cos = address(this.cos) + table;
            long sin = address(this.sin) + table;
            for (int head = 0; head < rotatedHeads; head++) {
                rotate(x + head * headBytes, out + head * headBytes, cos, sin);
            }
            long values = rotatedHeads * headBytes;
            if (accumulate) {
                Rows.add(out + values, x + values, out + values, valueHeads * headDim);
            } else if (x != out) {
                Rows.copy(x + values, out + values, valueHeads * headDim);
            }
        }
    }

    private void rotate(long x, long out, long cos, long sin) {
        int half = headDim / 2;
        long halfBytes = (long) half * Float.BYTES;
        float sign = backwards ? -1 : 1;
        int i = 0;
        long at = 0;
        for (; i <= half - LANES; i += LANES, at += BYTES) {
            FloatVector first = load(x + at);
            FloatVector second = load(x + halfBytes + at);
            FloatVector c = load(cos + at);
            FloatVector s = load(sin + at).mul(sign);
            Rows.put(out + at, first.mul(c).sub(second.mul(s)), accumulate);
            Rows.put(out + halfBytes + at, second.mul(c).add(first.mul(s)), accumulate);
        }
        for (; i < half; i++, at += Float.BYTES) {
            float first = get(x + at);
            float second = get(x + halfBytes + at);
            float c = get(cos + at);
            float s = get(sin + at) * sign;
            Rows.put(out + at, first * c - second * s, accumulate);
            Rows.put(out + halfBytes + at, second * c + first * s, accumulate);
        }
    }
}
