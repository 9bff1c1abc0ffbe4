package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;

/// `ldmatrix`: one, two or four matrices of 8 x 8 16-bit elements from shared memory.
///
/// Lanes `8 i` to `8 i + 7` give the addresses of the rows of matrix `i`, 16 bytes each. Lane `t` gets, of each
/// matrix, elements `2 (t % 4)` and the next of row `t / 4`; transposed, those of column `t / 4`.
final class MatrixLoad implements Operation {
    private final AddressOperand address;
    private final int[] slots;
    private final boolean transposed;

    MatrixLoad(AddressOperand address, int[] slots, boolean transposed) {
        this.address = address;
        this.slots = slots;
        this.transposed = transposed;
    }

    /// Faults unless all 32 lanes of the warp are here; false if they may still come.
    static boolean isFull(Warp warp, int mask) {
        if (warp.live != -1) {
            throw warp.fault(
                    DIVERGED,
                    Integer.numberOfTrailingZeros(mask),
                    "needs all 32 lanes of the warp, but only %s are left".formatted(Warp.lanes(warp.live)));
        }
        return warp.isWhole(mask);
    }

    @Override
    public void execute(Warp warp, int mask) {
        if (!isFull(warp, mask)) {
            return;
        }
        long[] addresses = warp.addresses;
        int rows = slots.length * 8;
        int reading = rows == 32 ? -1 : (1 << rows) - 1;
        address.resolve(warp, reading, addresses);
        AddressOperand.requireAligned(warp, reading, addresses, 16);
        warp.block.execution.traffic.shared(warp.at, addresses, reading, 16);
        SharedMemory shared = warp.block.shared;
        long stamp = warp.stamp();
        for (int row = 0; row < rows; row++) {
            shared.readRow(warp, row, stamp);
        }
        int[] data = shared.data;
        Registers registers = warp.registers;
        for (int matrix = 0; matrix < slots.length; matrix++) {
            int to = slots[matrix] * 32;
            for (int lane = 0; lane < 32; lane++) {
                if (transposed) {
                    int column = lane >> 2;
                    int row = matrix * 8 + 2 * (lane & 3);
                    int low = data[((int) addresses[row] >> 2) + (column >> 1)];
                    int high = data[((int) addresses[row + 1] >> 2) + (column >> 1)];
                    int shift = 16 * (column & 1);
                    registers.words[to + lane] = low >>> shift & 0xffff | high >>> shift << 16;
                } else {
                    registers.words[to + lane] = data[((int) addresses[matrix * 8 + (lane >> 2)] >> 2) + (lane & 3)];
                }
            }
            registers.wordsDefined[slots[matrix]] = -1;
        }
    }
}
