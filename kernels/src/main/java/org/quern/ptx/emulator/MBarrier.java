package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;

import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;

/// An mbarrier object of shared memory. A phase is complete when as many arrivals have come as it expects and all
/// bytes that were announced for it have been copied; the next phase begins at once.
final class MBarrier {
    /// The most arrivals a phase can expect.
    static final int MOST_ARRIVALS = (1 << 20) - 1;
    /// The most bytes, either way, that may be announced and not copied.
    private static final int MOST_BYTES = (1 << 20) - 1;

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
        /// The join of the clocks of those that arrived.
        private final int[] clock;
        private final int[] proxied;
        /// By warp, the lanes that arrived, and when the first of them did.
        private final int[] lanes;
        private final int[] epochs;
        /// By warp, the lanes that have waited.
        private final int[] waited;
        /// Who waited first, and when, so that copies count as its writes; or null.
        private Warp observer;
        private int observed;
        private NavigableMap<Integer, int[]> acquired;
        /// Copies that ended, until somebody waits.
        private final List<BulkCopy> copies = new ArrayList<>();

        Released(int actors) {
            clock = new int[actors];
            proxied = new int[actors];
            lanes = new int[actors];
            epochs = new int[actors];
            waited = new int[actors];
        }
    }

    MBarrier(int address, int expected, int actors) {
        this.address = address;
        this.expected = expected;
        missing = expected;
        arriving = new Released(actors);
        completed = new Released(actors);
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
    void release(Warp warp, int lane) {
        int index = warp.index;
        if (arriving.lanes[index] == 0) {
            arriving.epochs[index] = warp.epoch;
        }
        arriving.lanes[index] |= 1 << lane;
        Access.join(arriving.clock, warp.clock);
        Access.join(arriving.proxied, warp.proxied);
        arriving.acquired = Releases.union(arriving.acquired, warp.acquired);
    }

    /// Learns what those did who arrived in the phase before this one.
    ///
    /// @param lanes that waited
    void acquire(Warp warp, int lanes) {
        Released past = completed;
        if (!past.copies.isEmpty()) {
            for (BulkCopy copy : past.copies) {
                warp.block.bulk.observed(copy, warp, Integer.numberOfTrailingZeros(lanes));
            }
            past.copies.clear();
            past.observer = warp;
            past.observed = warp.epoch;
            past.clock[warp.index] = Math.max(past.clock[warp.index], warp.epoch);
            warp.advance();
        }
        warp.join(past.clock);
        Access.join(warp.proxied, past.proxied);
        warp.acquired = Releases.union(warp.acquired, past.acquired);
        past.waited[warp.index] |= lanes;
        if (past.waited[warp.index] == warp.live) {
            if (past.observer == warp) {
                warp.metAt(past.observed);
            }
            if (past.lanes[warp.index] == warp.live) {
                warp.metAt(past.epochs[warp.index]);
            }
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
        warp.block.progressed();
        if (missing == 0 && bytes == 0) {
            phase++;
            missing = expected;
            completed = arriving;
            arriving = new Released(completed.clock.length);
        }
    }

    @Override
    public String toString() {
        return "the mbarrier at %#x (phase %d, %d of %d arrivals and %,d bytes missing)"
                .formatted(address, phase, missing, expected, bytes);
    }
}
