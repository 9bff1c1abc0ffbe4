package org.quern.ptx.emulator;

import org.quern.ptx.syntax.StateSpace;

/// Moves values between registers and memory.
abstract class MemoryOperation implements Operation {
    private final StateSpace space;
    private final AddressOperand address;
    /// Whether shared memory may be another block's.
    private final boolean ofCluster;
    /// Of a lane's whole access.
    final int size;

    /// @param ofCluster whether the space is `.shared::cluster`
    MemoryOperation(StateSpace space, boolean ofCluster, AddressOperand address, int size) {
        this.space = space;
        this.ofCluster = ofCluster || space == StateSpace.GENERIC;
        this.address = address;
        this.size = size;
    }

    /// Accesses the addresses in [Warp#addresses], all of one space.
    ///
    /// @param owner of the shared memory, if it is that space
    abstract void access(Warp warp, int mask, StateSpace space, Block owner);

    final void accessAll(Warp warp, int mask) {
        long[] addresses = warp.addresses;
        address.resolve(warp, mask, addresses);
        AddressOperand.requireAligned(warp, mask, addresses, size);
        if (space != StateSpace.GENERIC) {
            accessSpace(warp, mask, space);
            return;
        }
        for (int rest = mask; rest != 0; ) {
            StateSpace meant = Spaces.of(addresses[Integer.numberOfTrailingZeros(rest)]);
            int lanes = 0;
            for (int others = rest; others != 0; others &= others - 1) {
                int lane = Integer.numberOfTrailingZeros(others);
                if (Spaces.of(addresses[lane]) == meant) {
                    lanes |= 1 << lane;
                    addresses[lane] -= Spaces.window(meant);
                }
            }
            accessSpace(warp, lanes, meant);
            rest &= ~lanes;
        }
    }

    private void accessSpace(Warp warp, int mask, StateSpace where) {
        count(warp, mask, where);
        if (where != StateSpace.SHARED || !ofCluster) {
            access(warp, mask, where, warp.block);
            return;
        }
        for (int rest = mask; rest != 0; ) {
            int rank = Cluster.rank(warp, warp.addresses[Integer.numberOfTrailingZeros(rest)]);
            int lanes = 0;
            Block owner = warp.block;
            for (int others = rest; others != 0; others &= others - 1) {
                int lane = Integer.numberOfTrailingZeros(others);
                if (Cluster.rank(warp, warp.addresses[lane]) == rank) {
                    lanes |= 1 << lane;
                    owner = warp.block.cluster.reach(warp, lane);
                }
            }
            access(warp, lanes, where, owner);
            rest &= ~lanes;
        }
    }

    private void count(Warp warp, int mask, StateSpace where) {
        Traffic traffic = warp.block.execution.traffic;
        if (where == StateSpace.GLOBAL) {
            traffic.global(warp.at, warp.addresses, mask, size);
        } else if (where == StateSpace.SHARED) {
            traffic.shared(warp.at, warp.addresses, mask, size);
        }
    }
}
