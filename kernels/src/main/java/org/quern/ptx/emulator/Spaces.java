package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;

import java.util.Locale;
import org.quern.ptx.syntax.StateSpace;

/// Where generic addresses see the other state spaces.
///
/// Global addresses are generic addresses as they are, all above 4 GiB. The windows begin where no allocation is.
final class Spaces {
    /// Local variables begin here in their own space, so that address 0 is nobody's.
    static final int LOCAL_START = 256;

    private static final int WINDOW_BITS = 32;
    private static final long SHARED = 0x7fff;
    private static final long LOCAL = 0x7ffe;
    private static final long PARAMETER = 0x7ffd;
    private static final long CONSTANT = 0x7ffc;

    private Spaces() {}

    /// What to add to an address of a space for the generic address.
    static long window(StateSpace space) {
        return switch (space) {
            case SHARED -> SHARED << WINDOW_BITS;
            case LOCAL -> LOCAL << WINDOW_BITS;
            case PARAMETER -> PARAMETER << WINDOW_BITS;
            case CONSTANT -> CONSTANT << WINDOW_BITS;
            case GLOBAL, GENERIC -> 0;
        };
    }

    /// Makes generic addresses those of shared memory that they stand for.
    ///
    /// @throws EmulatorFault if one is of another space
    static void toShared(Warp warp, int mask, long[] addresses) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            StateSpace space = of(addresses[lane]);
            if (space != StateSpace.SHARED) {
                throw warp.fault(
                        OUT_OF_BOUNDS,
                        lane,
                        "the generic address %#x must be of shared memory: it is of %s memory"
                                .formatted(addresses[lane], space.name().toLowerCase(Locale.ROOT)));
            }
            addresses[lane] -= window(StateSpace.SHARED);
        }
    }

    /// The space that a generic address is in.
    static StateSpace of(long address) {
        long window = address >>> WINDOW_BITS;
        if (window < CONSTANT || window > SHARED) {
            return StateSpace.GLOBAL;
        }
        return window == SHARED
                ? StateSpace.SHARED
                : window == LOCAL ? StateSpace.LOCAL : window == PARAMETER ? StateSpace.PARAMETER : StateSpace.CONSTANT;
    }
}
