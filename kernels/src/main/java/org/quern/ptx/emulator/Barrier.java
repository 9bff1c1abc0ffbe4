package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;

import java.util.Arrays;
import java.util.NavigableMap;

/// One of a block's named barriers.
final class Barrier {
    /// What happens with the predicates of `bar.red` when all threads have come.
    interface Reduction {
        void complete(Warp warp, int mask, int count, int threads);
    }

    private final int id;
    /// Threads that must come; 0 while nobody is here.
    private int expected;
    private int arrived;
    /// By warp, the lanes that have come, since all of them did if it comes more than once.
    private final int[] lanes;
    /// The join of the clocks of those that have come.
    private final int[] clock;
    private final Proxied proxied;
    private NavigableMap<Integer, Known> acquired;
    private final Warp[] waiting;
    private final int[] waitingMasks;
    private final Reduction[] reductions;
    private int waiters;
    private int truths;
    private int voters;

    Barrier(int id, int warps, int actors) {
        this.id = id;
        lanes = new int[warps];
        clock = new int[actors];
        proxied = new Proxied(actors);
        waiting = new Warp[warps * 32];
        waitingMasks = new int[warps * 32];
        reductions = new Reduction[warps * 32];
    }

    void reset() {
        expected = 0;
        arrived = 0;
        Arrays.fill(lanes, 0);
        Arrays.fill(clock, 0);
        proxied.fill(0);
        acquired = null;
        waiters = 0;
        truths = 0;
        voters = 0;
    }

    private void arrive(Warp warp, int mask, int threads) {
        int lane = Integer.numberOfTrailingZeros(mask);
        if (threads <= 0 || threads % 32 != 0 || threads > warp.block.execution.warps * 32) {
            throw warp.fault(
                    BARRIER,
                    lane,
                    "barrier %d is for %d threads: it must be a multiple of 32 and at most the %d of the block"
                            .formatted(id, threads, warp.block.execution.warps * 32));
        }
        if (expected == 0) {
            expected = threads;
        } else if (expected != threads) {
            throw warp.fault(
                    BARRIER,
                    lane,
                    "barrier %d is for %d threads here, while others wait in it for %d"
                            .formatted(id, threads, expected));
        }
        if (lanes[warp.index] == warp.live) {
            // It came before without waiting, and counts again.
            lanes[warp.index] = 0;
        }
        if ((lanes[warp.index] & mask) != 0) {
            throw warp.fault(
                    BARRIER,
                    lane,
                    "%s arrive a second time at barrier %d, which is not complete, before the rest of their warp"
                            .formatted(Warp.lanes(lanes[warp.index] & mask), id));
        }
        lanes[warp.index] |= mask;
        // Barriers count whole warps: lanes that are gone count with the last that come.
        arrived += Integer.bitCount(mask);
        if (lanes[warp.index] == warp.live) {
            arrived += 32 - Integer.bitCount(warp.live);
        }
        if (arrived > expected) {
            throw warp.fault(
                    BARRIER, lane, "%d threads come to barrier %d, which is for %d".formatted(arrived, id, expected));
        }
        Access.join(clock, warp.clock);
        proxied.join(warp.proxied);
        acquired = Known.union(acquired, warp.acquired);
    }

    /// Comes without waiting.
    void arriveOnly(Warp warp, int mask, int threads) {
        arrive(warp, mask, threads);
        warp.advance();
        if (arrived == expected) {
            complete();
        }
    }

    /// Comes and waits for the others.
    ///
    /// @param reduction null if there is none
    /// @param truth lanes whose predicate is true
    void sync(Warp warp, int mask, int threads, Reduction reduction, int truth) {
        arrive(warp, mask, threads);
        truths += Integer.bitCount(truth & mask);
        voters += Integer.bitCount(mask);
        waiting[waiters] = warp;
        waitingMasks[waiters] = mask;
        reductions[waiters] = reduction;
        waiters++;
        if (arrived == expected) {
            complete();
        } else {
            warp.awaitBarrier(mask);
        }
    }

    private void complete() {
        // Those that wait are at one time from now on.
        int latest = 0;
        for (int i = 0; i < waiters; i++) {
            latest = Math.max(latest, waiting[i].epoch);
        }
        for (int i = 0; i < waiters; i++) {
            clock[waiting[i].actor] = latest;
        }
        if (waiters > 0) {
            waiting[0].block.cluster.progressed();
        }
        for (int i = 0; i < waiters; i++) {
            Warp warp = waiting[i];
            warp.join(clock);
            warp.proxied.join(proxied);
            warp.meet();
            warp.acquired = Known.union(warp.acquired, acquired);
            if (reductions[i] != null) {
                reductions[i].complete(warp, waitingMasks[i], truths, voters);
            }
            warp.release(waitingMasks[i]);
        }
        reset();
    }
}
