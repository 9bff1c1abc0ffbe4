package org.quern.ptx.emulator;

import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/// What a warp knows of the launches that its own was allowed to overtake: whether they are done.
///
/// That spreads from warp to warp as everything does that happened outside of their cluster, in
/// [Warp#acquired], under a time before all epochs.
final class Dependencies {
    private static final Integer BEFORE_ALL = 0;

    private final Warp warp;
    private final NavigableMap<Integer, Known> done;
    /// Lanes that have waited, and when they did last; the others learn of it when the lanes synchronise.
    private int waited;
    private int epoch;

    Dependencies(Warp warp) {
        this.warp = warp;
        done = new TreeMap<>(Map.of(
                BEFORE_ALL, new Known(new int[warp.block.execution.actors], new Proxied(warp.block.execution.actors))));
    }

    void start() {
        waited = 0;
    }

    /// `griddepcontrol.wait`.
    void await(int mask) {
        waited |= mask;
        epoch = warp.epoch;
        warp.acquired = Known.union(warp.acquired, done);
    }

    /// Whether some thread knows it.
    boolean areDone() {
        return warp.acquired != null && warp.acquired.containsKey(BEFORE_ALL);
    }

    /// Whether a lane knows it.
    boolean areDone(int lane) {
        return areDone() && (waited == 0 || (waited >>> lane & 1) != 0 || epoch < warp.together);
    }
}
