package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import org.quern.collective.Communicator;
import org.quern.collective.CommunicatorException;
import org.quern.collective.ElementType;

/// Workers that are threads of one process, for tests: each collective is computed by its definition, element
/// by element.
public final class LocalGroup {
    private final int world;
    private final CyclicBarrier barrier;
    private final MemorySegment[] data;

    public LocalGroup(int world) {
        this.world = world;
        barrier = new CyclicBarrier(world);
        data = new MemorySegment[world];
    }

    public Communicator of(int rank) {
        return new Member(rank);
    }

    private final class Member implements Communicator {
        private final int rank;

        Member(int rank) {
            this.rank = rank;
        }

        @Override
        public int rank() {
            return rank;
        }

        @Override
        public int world() {
            return world;
        }

        @Override
        public Place place() {
            return Place.HOST;
        }

        @Override
        public void allReduce(MemorySegment mine, ElementType type) {
            float[] sum = sum(mine, 0, mine.byteSize() / Float.BYTES);
            MemorySegment.copy(sum, 0, mine, ValueLayout.JAVA_FLOAT, 0, sum.length);
            barrier();
        }

        @Override
        public void reduceScatter(MemorySegment mine, long[] bounds, ElementType type) {
            float[] sum = sum(mine, bounds[rank], bounds[rank + 1]);
            mine.fill((byte) 0xff);
            MemorySegment.copy(sum, 0, mine, ValueLayout.JAVA_FLOAT, bounds[rank] * Float.BYTES, sum.length);
            barrier();
        }

        private float[] sum(MemorySegment mine, long from, long to) {
            data[rank] = mine;
            barrier();
            float[] sum = new float[(int) (to - from)];
            for (int i = 0; i < sum.length; i++) {
                sum[i] = sum(from + i, 0, world);
            }
            barrier();
            return sum;
        }

        private float sum(long index, int from, int to) {
            if (to - from == 1) {
                return data[from].getAtIndex(ValueLayout.JAVA_FLOAT, index);
            }
            int left = Integer.highestOneBit(to - from - 1);
            return sum(index, from, from + left) + sum(index, from + left, to);
        }

        @Override
        public void allGather(MemorySegment mine, long[] bounds, ElementType type) {
            data[rank] = mine;
            barrier();
            for (int other = 0; other < world; other++) {
                long offset = bounds[other] * type.bytes();
                long bytes = (bounds[other + 1] - bounds[other]) * type.bytes();
                if (other != rank) {
                    MemorySegment.copy(data[other], offset, mine, offset, bytes);
                }
            }
            barrier();
        }

        @Override
        public void broadcast(MemorySegment mine, int root) {
            data[rank] = mine;
            barrier();
            if (rank != root) {
                mine.copyFrom(data[root]);
            }
            barrier();
        }

        @Override
        public void barrier() {
            try {
                barrier.await();
            } catch (InterruptedException | BrokenBarrierException e) {
                throw new CommunicatorException("another worker failed", e);
            }
        }

        @Override
        public void abort(String reason) {
            barrier.reset();
        }

        @Override
        public void close() {}
    }
}
