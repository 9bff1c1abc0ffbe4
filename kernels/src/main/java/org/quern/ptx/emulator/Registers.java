package org.quern.ptx.emulator;

/// The registers of a warp.
final class Registers {
    /// 8- to 32-bit values at `slot * 32 + lane`; 16-bit values in the low half.
    final int[] words;
    /// 64-bit values at `slot * 32 + lane`.
    final long[] longs;
    /// A mask of lanes a slot.
    final int[] predicates;
    /// Lanes that hold a value, a mask a slot.
    final int[] wordsDefined;
    final int[] longsDefined;
    final int[] predicatesDefined;

    Registers(int words, int longs, int predicates) {
        this.words = new int[words * 32];
        this.longs = new long[longs * 32];
        this.predicates = new int[predicates];
        wordsDefined = new int[words];
        longsDefined = new int[longs];
        predicatesDefined = new int[predicates];
    }
}
