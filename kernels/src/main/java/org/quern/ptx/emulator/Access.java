package org.quern.ptx.emulator;

/// Who touched a piece of memory last, in 64 bits: what the race detector keeps for each word.
///
/// From the top: 1 bit [#SPECIAL], 28 bits epoch, 16 bits instruction, 6 bits warp, 5 bits lane, 8 flags. Entries
/// compare by their epoch, as unsigned numbers: whatever is special is later than everything.
///
/// Warps are numbered over their cluster, [Warp#actor]. An epoch is a time of one warp: it advances whenever the
/// warp has synchronised. Epochs of a cluster are all greater than those of the clusters that ran before it, so
/// that nothing need be cleared between clusters or launches.
final class Access {
    /// The word's entry is elsewhere (bytes touched by different threads), or it is the target of a copy.
    static final long SPECIAL = 1L << 63;

    /// Several lanes of the warp in this epoch.
    static final int SEVERAL_LANES = 1;
    /// Several warps that nothing orders. The epoch is the latest of theirs, and instead of warp and lane there is
    /// a set of 11 bits: bit `i` for the warps whose number leaves `i` when it is divided by 11.
    static final int SEVERAL_WARPS = 2;
    /// Other clusters of this launch as well.
    static final int OTHER_BLOCKS = 4;
    /// Read by `ld.global.nc` or as a tensor map: memory that nobody writes in this launch.
    static final int CONSTANT = 8;
    /// By an atomic or other strong operation; these are no race with each other.
    static final int STRONG = 16;
    /// The target of a copy that nobody has waited for; only with [#SPECIAL].
    static final int COPYING = 32;
    /// Part of an mbarrier, which the access initialised; only with [#SPECIAL].
    static final int MBARRIER = 64;
    /// Through the asynchronous proxy: by a bulk copy or a matrix product that reads shared memory.
    static final int ASYNC = 128;

    /// Where warp and lane are.
    private static final int SET_BITS = 11;
    private static final long WARP_SET = (1L << SET_BITS) - 1 << 8;

    static final int MOST_ACTORS = 64;
    static final int MAX_EPOCH = (1 << 28) - 2;
    static final int MAX_INSTRUCTIONS = 1 << 16;

    private Access() {}

    /// All but lane and flags.
    static long stamp(int epoch, int instruction, int warp) {
        return (long) epoch << 35 | (long) instruction << 19 | (long) warp << 13;
    }

    /// The least entry of an epoch.
    static long limit(int epoch) {
        return (long) epoch << 35;
    }

    static long lane(long stamp, int lane) {
        return stamp | (long) lane << 8;
    }

    static int epoch(long entry) {
        return (int) (entry >>> 35) & 0xfffffff;
    }

    static int instruction(long entry) {
        return (int) (entry >>> 19) & 0xffff;
    }

    static int warp(long entry) {
        return (int) (entry >>> 13) & 63;
    }

    static int lane(long entry) {
        return (int) (entry >>> 8) & 31;
    }

    static boolean has(long entry, int flag) {
        return (entry & flag) != 0;
    }

    /// Whether the entry is at least `limit`, or special.
    static boolean since(long entry, long limit) {
        return Long.compareUnsigned(entry, limit) >= 0;
    }

    /// Whether a clock of the access's cluster has come to its epoch.
    static boolean isCovered(long entry, int[] clock) {
        if (!has(entry, SEVERAL_WARPS)) {
            return epoch(entry) <= clock[warp(entry)];
        }
        for (int i = 0; i < clock.length; i++) {
            if ((entry & warpBit(i)) != 0 && epoch(entry) > clock[i]) {
                return false;
            }
        }
        return true;
    }

    /// Whether an access of this cluster happened before what a lane does now.
    static boolean ordered(long entry, Warp warp, int lane) {
        int epoch = epoch(entry);
        if (epoch <= warp.horizon) {
            return true;
        }
        if (has(entry, SEVERAL_WARPS)) {
            return isCovered(entry, warp.clock) && ((entry & warpBit(warp.actor)) == 0 || epoch < warp.together);
        }
        int other = warp(entry);
        if (other == warp.actor) {
            return epoch < warp.together || lane(entry) == lane && !has(entry, SEVERAL_LANES);
        }
        return epoch <= warp.clock[other];
    }

    /// What stands for `old` and `now` together, if both are of this cluster: the later, and that there were
    /// others.
    static long merge(long old, long now, Warp warp) {
        if (epoch(old) <= warp.horizon) {
            return now;
        }
        long both = now & (old | ~STRONG);
        if (has(old, SEVERAL_WARPS)) {
            return several(old, both, old & WARP_SET);
        }
        if (warp(old) == warp.actor) {
            if (epoch(old) < warp.together) {
                return now;
            }
            return lane(old) == lane(now) ? both | old & SEVERAL_LANES : both | SEVERAL_LANES;
        }
        return epoch(old) <= warp.clock[warp(old)] ? now : several(old, both, warpBit(warp(old)));
    }

    private static long several(long old, long now, long others) {
        long set = others | warpBit(warp(now));
        long latest = Math.max(epoch(old), epoch(now));
        return limit((int) latest) | now & ~(limit(-1) | WARP_SET) | set | SEVERAL_WARPS;
    }

    /// Adds what another clock knows.
    static void join(int[] clock, int[] other) {
        for (int i = 0; i < clock.length; i++) {
            clock[i] = Math.max(clock[i], other[i]);
        }
    }

    private static long warpBit(int warp) {
        return 1L << 8 + warp % SET_BITS;
    }
}
