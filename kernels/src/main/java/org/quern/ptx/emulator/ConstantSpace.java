package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Memory that kernels only read: parameters, or constants.
final class ConstantSpace {
    private final String name;
    private final MemorySegment bytes;

    ConstantSpace(String name, MemorySegment bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    /// As [GlobalSpace#load].
    void load(Warp warp, int mask, int size) {
        int first = Integer.numberOfTrailingZeros(mask);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = warp.addresses[lane];
            if (lane == first || address != warp.addresses[first]) {
                read(warp, lane, address, size);
            } else {
                for (int i = 0; i < 4; i++) {
                    warp.staging[i * 32 + lane] = warp.staging[i * 32 + first];
                }
            }
        }
    }

    private void read(Warp warp, int lane, long address, int size) {
        if (address < 0 || address + size > bytes.byteSize()) {
            throw warp.fault(
                    OUT_OF_BOUNDS,
                    lane,
                    "%s memory: %d bytes at %#x, of %,d".formatted(name, size, address, bytes.byteSize()));
        }
        switch (size) {
            case 1 -> warp.staging[lane] = bytes.get(ValueLayout.JAVA_BYTE, address) & 0xff;
            case 2 -> warp.staging[lane] = bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, address) & 0xffff;
            default -> {
                for (int i = 0; i < size >> 2; i++) {
                    warp.staging[i * 32 + lane] = bytes.get(ValueLayout.JAVA_INT_UNALIGNED, address + 4 * i);
                }
            }
        }
    }
}
