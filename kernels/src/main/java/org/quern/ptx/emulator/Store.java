package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.READ_ONLY;

import org.quern.ptx.syntax.StateSpace;

/// `st`.
final class Store extends MemoryOperation {
    private final int bytes;
    private final int[] slots;
    /// Of each element.
    private final RegisterFile[] files;
    private final int flags;
    private final boolean releases;

    /// @param bytes of one element
    /// @param flags of [Access]
    Store(
            StateSpace space,
            boolean ofCluster,
            AddressOperand address,
            int bytes,
            int[] slots,
            RegisterFile[] files,
            int flags,
            boolean releases) {
        super(space, ofCluster, address, bytes * slots.length);
        this.bytes = bytes;
        this.slots = slots;
        this.files = files;
        this.flags = flags;
        this.releases = releases;
    }

    @Override
    public void execute(Warp warp, int mask) {
        Registers registers = warp.registers;
        int[] staging = warp.staging;
        for (int element = 0; element < slots.length; element++) {
            int slot = slots[element];
            int to = (element * bytes >> 2) * 32;
            boolean wide = files[element] == RegisterFile.LONGS;
            if (wide) {
                registers.requireLong(warp, slot, mask);
            } else {
                registers.requireWord(warp, slot, mask);
            }
            int shift = 8 * (element * bytes & 3);
            if (bytes == 4 && !wide) {
                System.arraycopy(registers.words, slot * 32, staging, to, 32);
                continue;
            }
            for (int lane = 0; lane < 32; lane++) {
                long value = wide ? registers.longs[slot * 32 + lane] : registers.words[slot * 32 + lane];
                if (bytes >= 4) {
                    staging[to + lane] = (int) value;
                    if (bytes == 8) {
                        staging[to + 32 + lane] = (int) (value >>> 32);
                    }
                } else {
                    int part = ((int) value & (1 << 8 * bytes) - 1) << shift;
                    staging[to + lane] = shift == 0 ? part : staging[to + lane] | part;
                }
            }
        }
        accessAll(warp, mask);
    }

    @Override
    void access(Warp warp, int mask, StateSpace space, Block owner) {
        switch (space) {
            case GLOBAL -> {
                release(warp, mask, warp.block.execution.releases);
                warp.block.execution.global.store(warp, mask, size, flags);
            }
            case SHARED -> {
                release(warp, mask, owner.releases);
                owner.shared.store(warp, mask, size, flags);
            }
            case LOCAL -> warp.local.store(warp, mask, size);
            case PARAMETER, CONSTANT ->
                throw warp.fault(
                        READ_ONLY,
                        Integer.numberOfTrailingZeros(mask),
                        "writes to %s memory".formatted(space == StateSpace.CONSTANT ? "constant" : "parameter"));
            case GENERIC -> throw new AssertionError(space);
        }
    }

    private void release(Warp warp, int mask, Releases told) {
        if (Access.has(flags, Access.STRONG)) {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                told.write(warp, warp.addresses[Integer.numberOfTrailingZeros(rest)], releases);
            }
            if (releases) {
                warp.advance();
            }
        }
    }
}
