package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;

import java.util.ArrayList;
import java.util.List;

/// An mbarrier object of shared memory. A phase is complete when as many arrivals have come as it expects and all
/// bytes that were announced for it have been copied; the next phase begins at once.
final class MBarrier {
    /// The most arrivals a phase can expect.
    static final int MOST_ARRIVALS = (1 << 20) - 1;
    /// The most bytes, either way, that may be announced and not copied.
    private static final int MOST_BYTES = (1 << 20) - 1;

    /// In whose shared memory it is.
    final Block block;
    final int address;
    /// Whether copies may signal it: what initialised it is known to the asynchronous proxy.
    boolean fenced;
    /// The phase that is not complete, from 0.
    private int phase;
    private int expected;
    private int missing;
    /// Announced and not copied; below 0 if they were copied before they were announced.
    private int bytes;
    /// What was released in this phase, and what can be acquired of the one before.
    private Released arriving;
    private Released completed;

    private static final class Released {
        /// By threads of its block.
        private final Phase near;
        /// By threads of other blocks of the cluster, if any; in the scope of the cluster.
        private Phase far;
        /// Who waited first, and when, so that copies count as its writes; or null.
        private Warp observer;
        private int observed;
        /// Copies that ended, until somebody waits.
        private final List<BulkCopy> copies = new ArrayList<>();

        Released(int actors) {
            near = new Phase(actors);
        }
    }

    MBarrier(Block block, int address, int expected) {
        this.block = block;
        this.address = address;
        this.expected = expected;
        missing = expected;
        arriving = new Released(block.execution.actors);
        completed = arriving;
    }

    int phase() {
        return phase;
    }

    /// Arrivals that this phase has yet to see.
    int missing() {
        return missing;
    }

    /// Whether only copies keep this phase from its end.
    boolean awaitsCopies() {
        return missing == 0;
    }

    /// Whether the phase of this parity, the current one or the one before, is complete.
    boolean isComplete(int parity) {
        return (phase & 1) != parity;
    }

    /// Tells those who wait what a lane did, and what its warp knows.
    ///
    /// @param toCluster whether threads of other blocks tell it, too
    void release(Warp warp, int lane, boolean toCluster) {
        if (warp.block == block) {
            arriving.near.release(warp, 1 << lane);
        } else if (toCluster) {
            if (arriving.far == null) {
                arriving.far = new Phase(block.execution.actors);
            }
            arriving.far.release(warp, 1 << lane);
        }
    }

    /// Learns what those did who arrived in the phase before this one.
    ///
    /// @param lanes that waited
    /// @param ofCluster whether it is learnt of threads of other blocks, too
    void acquire(Warp warp, int lanes, boolean ofCluster) {
        Released past = completed;
        if (!past.copies.isEmpty()) {
            for (BulkCopy copy : past.copies) {
                block.bulk.observed(copy, warp, Integer.numberOfTrailingZeros(lanes));
            }
            past.copies.clear();
            past.observer = warp;
            past.observed = warp.epoch;
            past.near.tell(warp.actor, warp.epoch);
            warp.advance();
        }
        past.near.acquire(warp, lanes);
        if (past.observer == warp && past.near.isWaitedForBy(warp)) {
            warp.metAt(past.observed);
        }
        if (ofCluster && past.far != null) {
            past.far.acquire(warp, lanes);
        }
    }

    void arrive(Warp warp, int lane, int count) {
        if (count < 1 || count > missing) {
            throw warp.fault(
                    BARRIER,
                    lane,
                    "%d arrivals at %s, which can take 1 to as many as are missing".formatted(count, this));
        }
        missing -= count;
        advance(warp);
    }

    /// Announces bytes.
    void expect(Warp warp, int lane, int count) {
        if (count < 0 || bytes + (long) count > MOST_BYTES) {
            throw warp.fault(
                    BARRIER, lane, "announces %,d bytes at %s, which can count %,d".formatted(count, this, MOST_BYTES));
        }
        bytes += count;
        advance(warp);
    }

    /// Bytes were copied.
    void copied(Warp warp, int lane, int count) {
        if (missing == 0 && count > bytes || bytes - (long) count < -MOST_BYTES) {
            throw warp.fault(
                    BARRIER, lane, "%,d bytes were copied, more than were announced, at %s".formatted(count, this));
        }
        bytes -= count;
        advance(warp);
    }

    /// Arrives, and expects one arrival less from the next phase on.
    void drop(Warp warp, int lane) {
        expected--;
        arrive(warp, lane, 1);
    }

    /// A copy ended whose bytes are about to be counted.
    void landed(BulkCopy copy) {
        arriving.copies.add(copy);
    }

    private void advance(Warp warp) {
        block.cluster.progressed();
        if (missing == 0 && bytes == 0) {
            phase++;
            missing = expected;
            completed = arriving;
            arriving = new Released(block.execution.actors);
        }
    }

    @Override
    public String toString() {
        return "the mbarrier at %#x (phase %d, %d of %d arrivals and %,d bytes missing)"
                .formatted(address, phase, missing, expected, bytes);
    }
}
