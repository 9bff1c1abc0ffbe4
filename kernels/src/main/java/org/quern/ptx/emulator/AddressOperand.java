package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;

import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;
import org.quern.ptx.syntax.Statement.Instruction;

/// `[base + offset]`, decoded.
record AddressOperand(int slot, boolean isLong, long offset) {

    static AddressOperand of(Instruction instruction, Operand operand, RegisterLayout layout) {
        if (!(operand instanceof Operand.Address address)
                || !address.coordinates().isEmpty()) {
            throw layout.mismatch(instruction, operand, "an address in brackets");
        }
        PtxType declared = layout.declaredType(address.base());
        PtxType type = declared != null && declared.bytes() == 4 ? PtxType.U32 : PtxType.U64;
        return new AddressOperand(
                layout.source(instruction, address.base(), type), type == PtxType.U64, address.offset());
    }

    /// Computes the address of each lane.
    void resolve(Warp warp, int mask, long[] addresses) {
        Registers registers = warp.registers;
        if (isLong) {
            registers.requireLong(warp, slot, mask);
            for (int lane = 0; lane < 32; lane++) {
                addresses[lane] = registers.longs[slot * 32 + lane] + offset;
            }
        } else {
            registers.requireWord(warp, slot, mask);
            for (int lane = 0; lane < 32; lane++) {
                addresses[lane] = (registers.words[slot * 32 + lane] & 0xffffffffL) + offset;
            }
        }
    }

    /// Faults if `size` does not divide an address.
    static void requireAligned(Warp warp, int mask, long[] addresses, int size) {
        long all = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            all |= addresses[Integer.numberOfTrailingZeros(rest)];
        }
        if ((all & size - 1) != 0) {
            for (int lane = 0; lane < 32; lane++) {
                if ((mask >>> lane & 1) != 0 && (addresses[lane] & size - 1) != 0) {
                    throw warp.fault(
                            MISALIGNED,
                            lane,
                            "the address %#x must be a multiple of %d, the bytes of the whole access"
                                    .formatted(addresses[lane], size));
                }
            }
        }
    }
}
