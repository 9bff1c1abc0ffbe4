package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;

import java.util.Arrays;

/// The local variables of a warp's threads. As with [GlobalSpace], accesses take [Warp#addresses] and move words
/// through [Warp#staging].
final class LocalMemory {
    /// Bytes of a thread, from [Spaces#LOCAL_START] on.
    private final int bytes;
    private final byte[] data;
    private final boolean[] defined;

    LocalMemory(int end) {
        bytes = end - Spaces.LOCAL_START;
        data = new byte[bytes * 32];
        defined = new boolean[bytes * 32];
    }

    void start() {
        Arrays.fill(defined, false);
    }

    private int check(Warp warp, int lane, int size) {
        long address = warp.addresses[lane];
        if (address < Spaces.LOCAL_START || address + size > Spaces.LOCAL_START + bytes) {
            throw warp.fault(
                    OUT_OF_BOUNDS,
                    lane,
                    "local memory: %d bytes at %#x, outside of the %,d bytes that a thread has at %#x"
                            .formatted(size, address, bytes, Spaces.LOCAL_START));
        }
        return lane * bytes + (int) address - Spaces.LOCAL_START;
    }

    void load(Warp warp, int mask, int size) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = check(warp, lane, size);
            for (int i = 0; i < size; i++) {
                if (!defined[at + i]) {
                    throw warp.fault(
                            UNDEFINED_MEMORY,
                            lane,
                            "reads local memory at %#x, where nothing was written".formatted(warp.addresses[lane] + i));
                }
                int word = (i >> 2) * 32 + lane;
                int value = (data[at + i] & 0xff) << 8 * (i & 3);
                warp.staging[word] = (i & 3) == 0 ? value : warp.staging[word] | value;
            }
        }
    }

    void store(Warp warp, int mask, int size) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = check(warp, lane, size);
            for (int i = 0; i < size; i++) {
                data[at + i] = (byte) (warp.staging[(i >> 2) * 32 + lane] >>> 8 * (i & 3));
                defined[at + i] = true;
            }
        }
    }
}
