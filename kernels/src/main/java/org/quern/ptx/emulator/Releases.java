package org.quern.ptx.emulator;

import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/// What threads tell each other through atomic operations and fences on one piece of memory.
///
/// What a block knows is a map from the first epoch of a block to that block's clock; such maps are never changed.
final class Releases {
    private final Map<Long, NavigableMap<Integer, int[]>> byAddress = new HashMap<>();

    void clear() {
        byAddress.clear();
    }

    static NavigableMap<Integer, int[]> union(NavigableMap<Integer, int[]> a, NavigableMap<Integer, int[]> b) {
        if (a == b || b == null) {
            return a;
        }
        if (a == null) {
            return b;
        }
        NavigableMap<Integer, int[]> all = new TreeMap<>(a);
        b.forEach((block, clock) -> all.merge(block, clock, Releases::join));
        return all;
    }

    private static int[] join(int[] a, int[] b) {
        int[] joined = a.clone();
        Access.join(joined, b);
        return joined;
    }

    /// A strong write: others that read it learn what `known` says, or what was known at the last fence.
    void write(Warp warp, long address, boolean releases) {
        int[] clock = releases ? warp.clock.clone() : warp.fenced;
        if (clock != null) {
            NavigableMap<Integer, int[]> told = new TreeMap<>();
            told.put(warp.block.cluster.firstEpoch, clock);
            told = union(told, warp.acquired);
            byAddress.merge(address, told, Releases::union);
        }
    }

    /// A strong read.
    void read(Warp warp, long address, boolean acquires) {
        if (!byAddress.isEmpty()) {
            NavigableMap<Integer, int[]> told = byAddress.get(address);
            if (told != null && acquires) {
                acquire(warp, told);
            } else if (told != null) {
                warp.seen = union(warp.seen, told);
            }
        }
    }

    private static void acquire(Warp warp, NavigableMap<Integer, int[]> told) {
        int[] own = told.get(warp.block.cluster.firstEpoch);
        if (own != null) {
            warp.join(own);
        }
        warp.acquired = union(warp.acquired, told);
    }

    /// A fence: what was read by now is acquired, and what is written from now on releases what is known now.
    static void fence(Warp warp) {
        if (warp.seen != null) {
            acquire(warp, warp.seen);
            warp.seen = null;
        }
        warp.fenced = warp.clock.clone();
        warp.advance();
    }
}
