package org.quern.ptx.emulator;

import org.quern.ptx.syntax.StateSpace;

/// `atom` and `red`: lanes in order, each reads, computes and writes as one.
final class Atomic extends MemoryOperation {
    private final Combination combination;
    /// [RegisterLayout#SINK] if the old value is not wanted.
    private final int destination;
    private final int operand;
    /// The new value of `cas`.
    private final int replacement;
    private final boolean acquires;
    private final boolean releases;

    Atomic(
            StateSpace space,
            boolean ofCluster,
            AddressOperand address,
            Combination combination,
            int destination,
            int operand,
            int replacement,
            boolean acquires,
            boolean releases) {
        super(space, ofCluster, address, combination.type().bytes());
        this.combination = combination;
        this.destination = destination;
        this.operand = operand;
        this.replacement = replacement;
        this.acquires = acquires;
        this.releases = releases;
    }

    @Override
    public void execute(Warp warp, int mask) {
        Registers registers = warp.registers;
        if (size == 8) {
            registers.requireLong(warp, operand, mask);
        } else {
            registers.requireWord(warp, operand, mask);
        }
        if (combination.operation().equals("cas")) {
            if (size == 8) {
                registers.requireLong(warp, replacement, mask);
            } else {
                registers.requireWord(warp, replacement, mask);
            }
        }
        accessAll(warp, mask);
        (size == 8 ? registers.longsDefined : registers.wordsDefined)[destination] |= mask;
    }

    @Override
    void access(Warp warp, int mask, StateSpace space, Block owner) {
        Execution execution = warp.block.execution;
        Releases told = space == StateSpace.GLOBAL ? execution.releases : owner.releases;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = warp.addresses[lane];
            if (releases || warp.fenced != null) {
                told.write(warp, address, releases);
            }
            told.read(warp, address, acquires);
            switch (space) {
                case GLOBAL -> {
                    Page page = execution.global.atomic(warp, lane, address, size);
                    update(warp.registers, lane, page.data, execution.global.word(warp, lane, address));
                }
                case SHARED -> update(warp.registers, lane, owner.shared.data, owner.shared.atomic(warp, lane, size));
                case LOCAL, CONSTANT, PARAMETER, GENERIC ->
                    throw warp.fault(
                            EmulatorFault.Kind.READ_ONLY, lane, "atomic operations are for global and shared memory");
            }
        }
        if (releases) {
            warp.advance();
        }
    }

    private void update(Registers registers, int lane, int[] data, int word) {
        if (size == 8) {
            long old = data[word] & 0xffffffffL | (long) data[word + 1] << 32;
            long value =
                    combination.of(old, registers.longs[operand * 32 + lane], registers.longs[replacement * 32 + lane]);
            data[word] = (int) value;
            data[word + 1] = (int) (value >>> 32);
            registers.longs[destination * 32 + lane] = old;
        } else {
            int old = data[word];
            data[word] =
                    combination.of(old, registers.words[operand * 32 + lane], registers.words[replacement * 32 + lane]);
            registers.words[destination * 32 + lane] = old;
        }
    }
}
