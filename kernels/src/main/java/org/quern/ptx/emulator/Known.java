package org.quern.ptx.emulator;

import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/// What of a cluster is known: what happened before, and what of it the asynchronous proxy sees. Never changed.
///
/// What is known of all clusters is a map from their first epochs, never changed either; null if there is nothing.
record Known(int[] clock, Proxied proxied) {
    static Known of(Warp warp) {
        return new Known(warp.clock.clone(), warp.proxied.copy());
    }

    private Known join(Known other) {
        int[] joined = clock.clone();
        Access.join(joined, other.clock);
        Proxied both = proxied.copy();
        both.join(other.proxied);
        return new Known(joined, both);
    }

    static NavigableMap<Integer, Known> union(NavigableMap<Integer, Known> a, NavigableMap<Integer, Known> b) {
        if (a == b || b == null) {
            return a;
        }
        if (a == null) {
            return b;
        }
        NavigableMap<Integer, Known> all = new TreeMap<>(a);
        b.forEach((cluster, known) -> all.merge(cluster, known, Known::join));
        return all;
    }

    /// After a proxy fence for global memory: the asynchronous proxy sees all of it that is known.
    static NavigableMap<Integer, Known> fenced(NavigableMap<Integer, Known> all) {
        if (all == null) {
            return null;
        }
        NavigableMap<Integer, Known> fenced = new TreeMap<>();
        for (Map.Entry<Integer, Known> entry : all.entrySet()) {
            Known known = entry.getValue();
            fenced.put(entry.getKey(), new Known(known.clock, new Proxied(known.proxied.shared, known.clock)));
        }
        return fenced;
    }
}
