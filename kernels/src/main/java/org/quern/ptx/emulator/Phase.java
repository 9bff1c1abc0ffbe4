package org.quern.ptx.emulator;

import java.util.NavigableMap;

/// What those who arrive in a phase of an mbarrier, or of a cluster's barrier, tell those who wait for its end.
final class Phase {
    /// The join of the clocks of those that arrived.
    private final int[] clock;
    private final Proxied proxied;
    private NavigableMap<Integer, Known> acquired;
    /// By actor, the lanes that arrived, and when the first of them did.
    private final int[] lanes;
    private final int[] epochs;
    /// By actor, the lanes that have waited.
    private final int[] waited;

    Phase(int actors) {
        clock = new int[actors];
        proxied = new Proxied(actors);
        lanes = new int[actors];
        epochs = new int[actors];
        waited = new int[actors];
    }

    /// Tells what lanes did, and what their warp knows.
    void release(Warp warp, int mask) {
        int actor = warp.actor;
        if (lanes[actor] == 0) {
            epochs[actor] = warp.epoch;
        }
        lanes[actor] |= mask;
        tell(warp.clock, warp.proxied);
        acquired = Known.union(acquired, warp.acquired);
    }

    /// Tells what a clock knows, and what of it the asynchronous proxy sees.
    void tell(int[] known, Proxied seen) {
        Access.join(clock, known);
        proxied.join(seen);
    }

    /// Tells that something of an actor happened.
    void tell(int actor, int epoch) {
        clock[actor] = Math.max(clock[actor], epoch);
    }

    /// Lets lanes learn it.
    void acquire(Warp warp, int mask) {
        warp.join(clock);
        warp.proxied.join(proxied);
        warp.acquired = Known.union(warp.acquired, acquired);
        waited[warp.actor] |= mask;
        if (isWaitedForBy(warp) && lanes[warp.actor] == warp.live) {
            warp.metAt(epochs[warp.actor]);
        }
    }

    /// Whether all lanes of a warp have waited.
    boolean isWaitedForBy(Warp warp) {
        return waited[warp.actor] == warp.live;
    }
}
