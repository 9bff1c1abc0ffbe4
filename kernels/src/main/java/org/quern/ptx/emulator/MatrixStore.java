package org.quern.ptx.emulator;

/// `stmatrix`: one, two or four matrices of 8 x 8 16-bit elements to shared memory; [MatrixLoad] the other way.
final class MatrixStore implements Operation {
    private final AddressOperand address;
    private final int[] slots;
    private final boolean transposed;

    MatrixStore(AddressOperand address, int[] slots, boolean transposed) {
        this.address = address;
        this.slots = slots;
        this.transposed = transposed;
    }

    @Override
    public void execute(Warp warp, int mask) {
        if (!MatrixLoad.isFull(warp, mask)) {
            return;
        }
        int rows = slots.length * 8;
        int writing = rows == 32 ? -1 : (1 << rows) - 1;
        address.resolve(warp, writing, warp.addresses);
        AddressOperand.requireAligned(warp, writing, warp.addresses, 16);
        warp.block.execution.traffic.shared(warp.at, warp.addresses, writing, 16);
        Registers registers = warp.registers;
        for (int slot : slots) {
            registers.requireWord(warp, slot, -1);
        }
        long stamp = warp.stamp();
        for (int row = 0; row < rows; row++) {
            int from = slots[row >> 3] * 32;
            for (int pair = 0; pair < 4; pair++) {
                warp.staging[pair * 32 + row] = transposed
                        ? element(registers, from, 2 * pair, row & 7)
                                | element(registers, from, 2 * pair + 1, row & 7) << 16
                        : registers.words[from + (row & 7) * 4 + pair];
            }
            warp.block.shared.writeRow(warp, row, stamp);
        }
    }

    /// The element of a row and a column as the lanes hold them.
    private static int element(Registers registers, int from, int row, int column) {
        return registers.words[from + row * 4 + (column >> 1)] >>> 16 * (column & 1) & 0xffff;
    }
}
