package org.quern.ptx.emulator;

/// The registers of a warp, with which of them hold a value. Made by [RegisterLayout#registers()].
///
/// Slot 0 of each file takes what is not wanted (`_`) and results of which only some lanes are kept; nobody reads it
/// as an operand.
final class Registers {
    /// 8- to 32-bit values at `slot * 32 + lane`; narrow ones in the low bits under zeros, even if they are signed.
    final int[] words;
    /// 64-bit values at `slot * 32 + lane`.
    final long[] longs;
    /// A mask of lanes a slot.
    final int[] predicates;
    /// Lanes that hold a value, a mask a slot.
    final int[] wordsDefined;
    final int[] longsDefined;
    final int[] predicatesDefined;

    private final RegisterLayout layout;

    Registers(RegisterLayout layout, int words, int longs, int predicates) {
        this.layout = layout;
        this.words = new int[words * 32];
        this.longs = new long[longs * 32];
        this.predicates = new int[predicates];
        wordsDefined = new int[words];
        longsDefined = new int[longs];
        predicatesDefined = new int[predicates];
    }

    /// Forgets what was written, down to what is defined in a register set of the same layout.
    void reset(Registers fresh) {
        System.arraycopy(fresh.wordsDefined, 0, wordsDefined, 0, wordsDefined.length);
        System.arraycopy(fresh.longsDefined, 0, longsDefined, 0, longsDefined.length);
        System.arraycopy(fresh.predicatesDefined, 0, predicatesDefined, 0, predicatesDefined.length);
    }

    /// Faults if a lane of `mask` reads a word that was not written.
    void requireWord(Warp warp, int slot, int mask) {
        if ((mask & ~wordsDefined[slot]) != 0) {
            throw undefined(warp, RegisterFile.WORDS, slot, mask & ~wordsDefined[slot]);
        }
    }

    /// As [#requireWord].
    void requireLong(Warp warp, int slot, int mask) {
        if ((mask & ~longsDefined[slot]) != 0) {
            throw undefined(warp, RegisterFile.LONGS, slot, mask & ~longsDefined[slot]);
        }
    }

    /// As [#requireWord].
    void requirePredicate(Warp warp, int slot, int mask) {
        if ((mask & ~predicatesDefined[slot]) != 0) {
            throw undefined(warp, RegisterFile.PREDICATES, slot, mask & ~predicatesDefined[slot]);
        }
    }

    /// What the text calls a word.
    String name(int slot) {
        return layout.name(RegisterFile.WORDS, slot);
    }

    private EmulatorFault undefined(Warp warp, RegisterFile file, int slot, int lanes) {
        int lane = Integer.numberOfTrailingZeros(lanes);
        return warp.fault(
                EmulatorFault.Kind.UNDEFINED_REGISTER,
                lane,
                "%s is read in lane %d, where nothing was written to it".formatted(layout.name(file, slot), lane));
    }
}
