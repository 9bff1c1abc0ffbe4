package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;

import java.util.Arrays;

/// `barrier.cluster`: its threads arrive and wait by turns, and a phase ends when all that have not exited have
/// arrived.
final class ClusterBarrier {
    private final Cluster cluster;
    /// By actor, the lanes that have arrived in this phase, those that have yet to wait for the end of the one
    /// before, and those that are waiting.
    private final int[] arrived;
    private final int[] owed;
    private final int[] waiting;
    /// As [Warp#initialised]: of those that have arrived, and of those that had arrived when a phase ended last.
    private final int[] arrivingInitialised;
    private final int[] completedInitialised;

    private boolean open;
    private Phase arriving;
    private Phase completed;

    ClusterBarrier(Cluster cluster) {
        this.cluster = cluster;
        arrived = new int[cluster.execution.actors];
        owed = new int[cluster.execution.actors];
        waiting = new int[cluster.execution.actors];
        arrivingInitialised = new int[cluster.execution.actors];
        completedInitialised = new int[cluster.execution.actors];
    }

    void reset() {
        Arrays.fill(arrived, 0);
        Arrays.fill(owed, 0);
        Arrays.fill(waiting, 0);
        Arrays.fill(arrivingInitialised, 0);
        Arrays.fill(completedInitialised, 0);
        open = false;
        arriving = null;
        completed = null;
    }

    /// Lanes arrive.
    ///
    /// @param releases whether those that wait see what they did; if not, only that their block has begun, what the
    ///     last fence of their warp released, and what mbarriers it had initialised at the last fence for these
    void arrive(Warp warp, int mask, boolean releases) {
        int again = (arrived[warp.actor] | owed[warp.actor]) & mask;
        if (again != 0) {
            throw warp.fault(
                    BARRIER,
                    Integer.numberOfTrailingZeros(again),
                    "%s arrive at the cluster's barrier without having waited since they arrived last"
                            .formatted(Warp.lanes(again)));
        }
        if (arriving == null) {
            arriving = new Phase(cluster.execution.actors);
        }
        if (releases) {
            arriving.release(warp, mask);
            warp.advance();
        } else {
            arriving.tell(warp.actor, cluster.firstEpoch);
            if (warp.fenced != null) {
                arriving.tell(warp.fenced.clock(), warp.fenced.proxied());
            }
        }
        Access.join(arrivingInitialised, warp.initialised);
        arrived[warp.actor] |= mask;
        open = true;
        completeIfAllCame();
    }

    /// Lanes wait for the end of the phase in which they arrived.
    void await(Warp warp, int mask) {
        int never = mask & ~(arrived[warp.actor] | owed[warp.actor]);
        if (never != 0) {
            throw warp.fault(
                    BARRIER,
                    Integer.numberOfTrailingZeros(never),
                    "%s wait in the cluster's barrier and have not arrived at it".formatted(Warp.lanes(never)));
        }
        int over = mask & owed[warp.actor];
        if (over != 0) {
            owed[warp.actor] &= ~over;
            acquire(warp, over);
        }
        if (over != mask) {
            waiting[warp.actor] |= mask & ~over;
            warp.awaitBarrier(mask & ~over);
        }
    }

    private void acquire(Warp warp, int lanes) {
        completed.acquire(warp, lanes);
        Access.join(warp.initialised, completedInitialised);
    }

    /// Threads have exited, and are not waited for any more.
    void exited() {
        if (open) {
            completeIfAllCame();
        }
    }

    private void completeIfAllCame() {
        for (Warp warp : cluster.warps) {
            if ((warp.live & ~arrived[warp.actor]) != 0) {
                return;
            }
        }
        completed = arriving;
        arriving = null;
        Access.join(completedInitialised, arrivingInitialised);
        open = false;
        cluster.progressed();
        for (Warp warp : cluster.warps) {
            int lanes = waiting[warp.actor];
            owed[warp.actor] = arrived[warp.actor] & ~lanes;
            arrived[warp.actor] = 0;
            waiting[warp.actor] = 0;
            if (lanes != 0) {
                acquire(warp, lanes);
                warp.release(lanes);
            }
        }
    }
}
