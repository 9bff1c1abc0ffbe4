package org.quern.ptx.emulator;

import org.quern.ptx.syntax.StateSpace;

/// `ld`.
final class Load extends MemoryOperation {
    private final int bytes;
    private final boolean signed;
    private final int[] slots;
    private final RegisterFile file;
    /// What bits a value takes in its register, if that is narrower than 32.
    private final int registerMask;
    private final int flags;
    private final boolean acquires;

    /// @param bytes of one element
    /// @param registerBytes of a destination, which may be wider
    /// @param flags of [Access]
    Load(
            StateSpace space,
            boolean ofCluster,
            AddressOperand address,
            int bytes,
            boolean signed,
            int[] slots,
            int registerBytes,
            int flags,
            boolean acquires) {
        super(space, ofCluster, address, bytes * slots.length);
        this.bytes = bytes;
        this.signed = signed;
        this.slots = slots;
        file = registerBytes == 8 ? RegisterFile.LONGS : RegisterFile.WORDS;
        registerMask = registerBytes >= 4 ? -1 : (1 << 8 * registerBytes) - 1;
        this.flags = flags;
        this.acquires = acquires;
    }

    @Override
    public void execute(Warp warp, int mask) {
        accessAll(warp, mask);
        Registers registers = warp.registers;
        int[] staging = warp.staging;
        for (int element = 0; element < slots.length; element++) {
            int slot = slots[element];
            int from = (element * bytes >> 2) * 32;
            if (file == RegisterFile.WORDS) {
                if (bytes == 4) {
                    move(staging, from, registers.words, slot * 32, mask);
                } else {
                    int shift = 8 * (element * bytes & 3);
                    for (int rest = mask; rest != 0; rest &= rest - 1) {
                        int lane = Integer.numberOfTrailingZeros(rest);
                        registers.words[slot * 32 + lane] = extend(staging[from + lane] >>> shift) & registerMask;
                    }
                }
                registers.wordsDefined[slot] |= mask;
            } else {
                for (int rest = mask; rest != 0; rest &= rest - 1) {
                    int lane = Integer.numberOfTrailingZeros(rest);
                    long value;
                    if (bytes == 8) {
                        value = staging[from + lane] & 0xffffffffL | (long) staging[from + 32 + lane] << 32;
                    } else {
                        int narrow = extend(staging[from + lane] >>> 8 * (element * bytes & 3));
                        value = signed ? narrow : narrow & 0xffffffffL;
                    }
                    registers.longs[slot * 32 + lane] = value;
                }
                registers.longsDefined[slot] |= mask;
            }
        }
    }

    private static void move(int[] from, int at, int[] to, int place, int mask) {
        if (mask == -1) {
            System.arraycopy(from, at, to, place, 32);
        } else {
            for (int lane = 0; lane < 32; lane++) {
                if ((mask >>> lane & 1) != 0) {
                    to[place + lane] = from[at + lane];
                }
            }
        }
    }

    private int extend(int value) {
        int unused = bytes >= 4 ? 0 : 32 - 8 * bytes;
        return signed ? value << unused >> unused : value << unused >>> unused;
    }

    @Override
    void access(Warp warp, int mask, StateSpace space, Block owner) {
        switch (space) {
            case GLOBAL -> {
                acquire(warp, mask, warp.block.execution.releases);
                warp.block.execution.global.load(warp, mask, size, flags);
            }
            case SHARED -> {
                acquire(warp, mask, owner.releases);
                owner.shared.load(warp, mask, size, flags);
            }
            case LOCAL -> warp.local.load(warp, mask, size);
            case PARAMETER -> warp.block.execution.parameters.load(warp, mask, size);
            case CONSTANT -> warp.block.execution.program.constants.load(warp, mask, size);
            case GENERIC -> throw new AssertionError(space);
        }
    }

    private void acquire(Warp warp, int mask, Releases releases) {
        if (Access.has(flags, Access.STRONG)) {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                releases.read(warp, warp.addresses[Integer.numberOfTrailingZeros(rest)], acquires);
            }
        }
    }
}
