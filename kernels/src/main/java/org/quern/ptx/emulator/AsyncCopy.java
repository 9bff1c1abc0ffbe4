package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;

/// `cp.async.ca` and `cp.async.cg`.
final class AsyncCopy implements Operation {
    private final AddressOperand target;
    private final AddressOperand source;
    private final int size;
    /// Of a word with the bytes to read, or of a predicate that says to read none; 0 if all are read.
    private final int sourceBytesSlot;
    private final int ignoreSlot;
    private final int ignoreFlip;

    AsyncCopy(
            AddressOperand target,
            AddressOperand source,
            int size,
            int sourceBytesSlot,
            int ignoreSlot,
            boolean ignoreNegated) {
        this.target = target;
        this.source = source;
        this.size = size;
        this.sourceBytesSlot = sourceBytesSlot;
        this.ignoreSlot = ignoreSlot;
        ignoreFlip = ignoreNegated ? -1 : 0;
    }

    @Override
    public void execute(Warp warp, int mask) {
        Registers registers = warp.registers;
        Traffic traffic = warp.block.execution.traffic;
        long[] sources = warp.copies.sources;
        int[] bytes = warp.copies.bytes;
        source.resolve(warp, mask, sources);
        AddressOperand.requireAligned(warp, mask, sources, size);
        int reading = mask;
        if (ignoreSlot != 0) {
            registers.requirePredicate(warp, ignoreSlot, mask);
            reading &= ~(registers.predicates[ignoreSlot] ^ ignoreFlip);
        }
        if (sourceBytesSlot != 0) {
            registers.requireWord(warp, sourceBytesSlot, mask);
        }
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int wanted = sourceBytesSlot == 0 ? size : registers.words[sourceBytesSlot * 32 + lane];
            if (wanted < 0 || wanted > size) {
                throw warp.fault(TRAP, lane, "the source of a copy of %d bytes has %d".formatted(size, wanted));
            }
            if (wanted == 0) {
                reading &= ~(1 << lane);
            }
            bytes[lane] = (reading >>> lane & 1) == 0 ? 0 : wanted;
        }
        if (reading != 0) {
            traffic.global(warp.at, sources, reading, size);
        }
        target.resolve(warp, mask, warp.addresses);
        AddressOperand.requireAligned(warp, mask, warp.addresses, size);
        traffic.shared(warp.at, warp.addresses, mask, size);
        warp.copies.issue(mask, size);
    }
}
