package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.MEMBER_MASK;

/// The member mask of a `.sync` instruction.
record Members(int slot) {

    /// Lets lanes wait for the other members of their masks.
    ///
    /// @return the lanes whose members are all here; the instruction is for them
    int arrived(Warp warp, int mask) {
        warp.registers.requireWord(warp, slot, mask);
        int[] words = warp.registers.words;
        int ready = 0;
        for (int rest = mask; rest != 0; ) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int members = words[slot * 32 + lane];
            if ((members >>> lane & 1) == 0) {
                throw warp.fault(
                        MEMBER_MASK,
                        lane,
                        "is executed by lane %d, which its mask %#x leaves out".formatted(lane, members));
            }
            if ((members & ~warp.live) != 0) {
                throw warp.fault(
                        MEMBER_MASK,
                        lane,
                        "its mask %#x names %s, which exited or never were"
                                .formatted(members, Warp.lanes(members & ~warp.live)));
            }
            int same = 0;
            for (int others = rest; others != 0; others &= others - 1) {
                int other = Integer.numberOfTrailingZeros(others);
                if (words[slot * 32 + other] == members) {
                    same |= 1 << other;
                }
            }
            if ((same & members) == members) {
                ready |= members;
            }
            rest &= ~same;
        }
        if (ready != mask) {
            warp.awaitLanes(mask & ~ready);
        }
        return ready;
    }
}
