package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.getInt;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Rows of a table by their numbers, and the gradient of the table.
public final class Embedding {
    private Embedding() {}

    /// out[n] = table[ids[n]].
    public static final class Forward extends Rowwise {
        private final MemorySegment ids;
        private final MemorySegment table;
        private final MemorySegment out;
        private final int vocabulary;
        private final int width;

        /// @param ids int32 [rows]; running fails on one outside the table
        /// @param table [vocabulary, width]
        /// @param out [rows, width]
        public Forward(MemorySegment ids, MemorySegment table, MemorySegment out, int rows, int vocabulary, int width) {
            super(rows, width);
            this.ids = Buffers.ints(ids, rows);
            this.table = Buffers.floats(table, (long) vocabulary * width);
            this.out = Buffers.floats(out, (long) rows * width);
            this.vocabulary = vocabulary;
            this.width = width;
        }

        @Override
        void rows(int from, int to) {
            long ids = address(this.ids);
            long table = address(this.table);
            long out = address(this.out);
            long rowBytes = (long) width * Float.BYTES;
            for (int row = from; row < to; row++) {
                int id = Objects.checkIndex(getInt(ids + 4L * row), vocabulary);
                Rows.copy(table + id * rowBytes, out + row * rowBytes, width);
            }
        }
    }

    /// dTable[v] (+)= the sum of dOut[n] over the rows with ids[n] = v.
    ///
    /// Cut by columns, so that each sum runs over the rows in their order.
    public static final class Backward implements Kernel {
        private static final int SLICE = 64;

        private final MemorySegment ids;
        private final MemorySegment dOut;
        private final MemorySegment dTable;
        private final boolean accumulate;
        private final int rows;
        private final int vocabulary;
        private final int width;

        /// @param ids int32 [rows]; running fails on one outside the table
        /// @param dOut [rows, width]
        /// @param dTable [vocabulary, width]
        /// @param accumulate whether to add to what dTable holds
        public Backward(
                MemorySegment ids,
                MemorySegment dOut,
                MemorySegment dTable,
                boolean accumulate,
                int rows,
                int vocabulary,
                int width) {
            this.ids = Buffers.ints(ids, rows);
            this.dOut = Buffers.floats(dOut, (long) rows * width);
            this.dTable = Buffers.floats(dTable, (long) vocabulary * width);
            this.accumulate = accumulate;
            this.rows = rows;
            this.vocabulary = vocabulary;
            this.width = width;
        }

        @Override
        public int tasks(int phase) {
            return Math.ceilDiv(width, SLICE);
        }

        @Override
        public void run(int phase, int task) {
            long ids = address(this.ids);
            int count = Math.min(SLICE, width - task * SLICE);
            long dOut = address(this.dOut) + (long) task * SLICE * Float.BYTES;
            long dTable = address(this.dTable) + (long) task * SLICE * Float.BYTES;
            long rowBytes = (long) width * Float.BYTES;
            if (!accumulate) {
                for (int row = 0; row < vocabulary; row++) {
                    Rows.fill(dTable + row * rowBytes, 0, count);
                }
            }
            for (int row = 0; row < rows; row++) {
                long to = dTable + Objects.checkIndex(getInt(ids + 4L * row), vocabulary) * rowBytes;
                Rows.add(dOut + row * rowBytes, to, to, count);
            }
        }
    }
}
