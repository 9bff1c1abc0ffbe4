package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;

import java.util.HashMap;
import java.util.Map;

/// The mbarrier objects of a block, by address.
final class MBarriers {
    private static final int BYTES = 8;

    private final Block block;
    private final Map<Integer, MBarrier> byAddress = new HashMap<>();

    MBarriers(Block block) {
        this.block = block;
    }

    /// The block has ended, and they with it.
    void clear() {
        byAddress.keySet().forEach(block.shared::forget);
        byAddress.clear();
    }

    /// Makes one at the address of a lane.
    void initialize(Warp warp, int lane, int count) {
        if (count < 1 || count > MBarrier.MOST_ARRIVALS) {
            throw warp.fault(
                    BARRIER,
                    lane,
                    "an mbarrier for %d arrivals: it takes 1 to %,d".formatted(count, MBarrier.MOST_ARRIVALS));
        }
        block.shared.claim(warp, lane);
        int address = (int) warp.addresses[lane];
        byAddress.put(address, new MBarrier(block, address, count));
    }

    void invalidate(Warp warp, int lane) {
        MBarrier barrier = at(warp, lane);
        block.shared.disclaim(warp, lane);
        byAddress.remove(barrier.address);
    }

    /// The one at the address of a lane.
    ///
    /// @throws EmulatorFault if there is none, or nothing orders this use after its initialisation
    MBarrier at(Warp warp, int lane) {
        MBarrier barrier = byAddress.get((int) warp.addresses[lane]);
        block.shared.requireMBarrier(warp, lane, BYTES, barrier != null && barrier.fenced);
        return barrier;
    }

    /// `fence.mbarrier_init` by lanes: what they initialised may be signalled by copies.
    void fence(Warp warp, int mask) {
        for (MBarrier barrier : byAddress.values()) {
            long initialised = block.shared.initialisation(barrier.address);
            barrier.fenced |= Access.warp(initialised) == warp.actor && (mask >>> Access.lane(initialised) & 1) != 0;
        }
    }

    /// `fence.proxy.async` by lanes: what was initialised before, by whomever, may be signalled by copies.
    void fenceProxy(Warp warp, int mask) {
        int lane = Integer.numberOfTrailingZeros(mask);
        for (MBarrier barrier : byAddress.values()) {
            barrier.fenced |= Access.ordered(block.shared.initialisation(barrier.address), warp, lane);
        }
    }
}
