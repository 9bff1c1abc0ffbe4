package org.quern.ptx.emulator;

import org.quern.ptx.syntax.StateSpace;

/// Moves values between registers and memory.
abstract class MemoryOperation implements Operation {
    private final StateSpace space;
    private final AddressOperand address;
    /// Of a lane's whole access.
    final int size;

    MemoryOperation(StateSpace space, AddressOperand address, int size) {
        this.space = space;
        this.address = address;
        this.size = size;
    }

    /// Accesses the addresses in [Warp#addresses], all of one space.
    abstract void access(Warp warp, int mask, StateSpace space);

    final void accessAll(Warp warp, int mask) {
        long[] addresses = warp.addresses;
        address.resolve(warp, mask, addresses);
        AddressOperand.requireAligned(warp, mask, addresses, size);
        if (space != StateSpace.GENERIC) {
            count(warp, mask, space);
            access(warp, mask, space);
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
            count(warp, lanes, meant);
            access(warp, lanes, meant);
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
