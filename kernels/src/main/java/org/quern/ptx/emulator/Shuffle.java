package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.MEMBER_MASK;

/// `shfl.sync`.
final class Shuffle implements Operation {
    /// How the source lane is found.
    enum Mode {
        IDX,
        UP,
        DOWN,
        BFLY
    }

    private final Mode mode;
    private final int destination;
    /// Of a predicate that says whether the source lane is within range.
    private final int valid;
    private final int value;
    private final int lane;
    private final int clamp;
    private final Members members;

    Shuffle(Mode mode, int destination, int valid, int value, int lane, int clamp, Members members) {
        this.mode = mode;
        this.destination = destination;
        this.valid = valid;
        this.value = value;
        this.lane = lane;
        this.clamp = clamp;
        this.members = members;
    }

    @Override
    public void execute(Warp warp, int mask) {
        int ready = members.arrived(warp, mask);
        if (ready == 0) {
            return;
        }
        Registers registers = warp.registers;
        registers.requireWord(warp, lane, ready);
        registers.requireWord(warp, clamp, ready);
        int[] words = registers.words;
        int inRange = 0;
        int read = 0;
        for (int rest = ready; rest != 0; rest &= rest - 1) {
            int self = Integer.numberOfTrailingZeros(rest);
            int b = words[lane * 32 + self] & 31;
            int bound = words[clamp * 32 + self] & 31;
            int segment = words[clamp * 32 + self] >>> 8 & 31;
            int last = self & segment | bound & ~segment;
            int source = switch (mode) {
                case UP -> self - b;
                case DOWN -> self + b;
                case BFLY -> self ^ b;
                case IDX -> self & segment | b & ~segment;
            };
            if (mode == Mode.UP ? source >= last : source <= last) {
                inRange |= 1 << self;
            } else {
                source = self;
            }
            if ((ready >>> source & 1) == 0) {
                throw warp.fault(
                        MEMBER_MASK,
                        self,
                        "takes a value from lane %d, which does not execute the instruction with it".formatted(source));
            }
            read |= 1 << source;
            warp.staging[self] = words[value * 32 + source];
        }
        registers.requireWord(warp, value, read);
        for (int rest = ready; rest != 0; rest &= rest - 1) {
            int self = Integer.numberOfTrailingZeros(rest);
            words[destination * 32 + self] = warp.staging[self];
        }
        registers.wordsDefined[destination] |= ready;
        registers.predicates[valid] = registers.predicates[valid] & ~ready | inRange;
        registers.predicatesDefined[valid] |= ready;
    }
}
