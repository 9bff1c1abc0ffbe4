package org.quern.ptx.emulator;

import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/// What threads tell each other through atomic operations and fences on one piece of memory.
final class Releases {
    private final Map<Long, NavigableMap<Integer, Known>> byAddress = new HashMap<>();

    void clear() {
        byAddress.clear();
    }

    /// A strong write: others that read it learn what `known` says, or what was known at the last fence.
    void write(Warp warp, long address, boolean releases) {
        Known known = releases ? Known.of(warp) : warp.fenced;
        if (known != null) {
            NavigableMap<Integer, Known> told = new TreeMap<>();
            told.put(warp.block.cluster.firstEpoch, known);
            told = Known.union(told, warp.acquired);
            byAddress.merge(address, told, Known::union);
        }
    }

    /// A strong read.
    void read(Warp warp, long address, boolean acquires) {
        if (!byAddress.isEmpty()) {
            NavigableMap<Integer, Known> told = byAddress.get(address);
            if (told != null && acquires) {
                acquire(warp, told);
            } else if (told != null) {
                warp.seen = Known.union(warp.seen, told);
            }
        }
    }

    private static void acquire(Warp warp, NavigableMap<Integer, Known> told) {
        Known own = told.get(warp.block.cluster.firstEpoch);
        if (own != null) {
            warp.join(own.clock());
            warp.proxied.join(own.proxied());
        }
        warp.acquired = Known.union(warp.acquired, told);
    }

    /// A fence: what was read by now is acquired, and what is written from now on releases what is known now.
    static void fence(Warp warp) {
        if (warp.seen != null) {
            acquire(warp, warp.seen);
            warp.seen = null;
        }
        warp.fenced = Known.of(warp);
        warp.advance();
    }
}
