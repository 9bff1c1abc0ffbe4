package org.quern.ptx.emulator;

import java.util.Arrays;

/// By actor, the epochs that the asynchronous proxy sees: what happened before a proxy fence for that memory which
/// happened before now.
final class Proxied {
    final int[] shared;
    final int[] global;

    Proxied(int actors) {
        this(new int[actors], new int[actors]);
    }

    Proxied(int[] shared, int[] global) {
        this.shared = shared;
        this.global = global;
    }

    Proxied copy() {
        return new Proxied(shared.clone(), global.clone());
    }

    void fill(int epoch) {
        Arrays.fill(shared, epoch);
        Arrays.fill(global, epoch);
    }

    void join(Proxied other) {
        Access.join(shared, other.shared);
        Access.join(global, other.global);
    }
}
