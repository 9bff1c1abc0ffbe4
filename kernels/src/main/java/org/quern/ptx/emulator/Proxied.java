package org.quern.ptx.emulator;

import java.util.Arrays;

/// By actor, the epochs that the asynchronous proxy sees: what happened before a proxy fence for that memory which
/// happened before now.
final class Proxied {
    final int[] shared;
    final int[] global;

    Proxied(int actors) {
        shared = new int[actors];
        global = new int[actors];
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
