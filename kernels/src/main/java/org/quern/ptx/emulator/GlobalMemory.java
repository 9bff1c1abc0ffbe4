package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/// The memory of a device: allocations at addresses above 4 GiB, with gaps between them.
///
/// Addresses are never used twice, so that what was freed stays out of bounds.
final class GlobalMemory {
    private static final long FIRST = 0x7_3000_0000L;
    private static final long GAP = 0x1_0000;
    private static final int ALIGNMENT = 256;

    private final TreeMap<Long, Allocation> allocations = new TreeMap<>();
    private long next = FIRST;
    private long used;

    long allocate(long bytes) {
        Allocation allocation = new Allocation(next, bytes);
        allocations.put(next, allocation);
        next += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP;
        used += bytes;
        return allocation.address;
    }

    void free(long address) {
        Allocation allocation = allocations.remove(address);
        if (allocation == null) {
            throw hostFault("no allocation begins at %#x".formatted(address));
        }
        used -= allocation.bytes;
    }

    long used() {
        return used;
    }

    /// The allocation that holds all of a range; null if there is none.
    Allocation find(long address, long bytes) {
        Map.Entry<Long, Allocation> below = allocations.floorEntry(address);
        return below != null && below.getValue().contains(address, bytes) ? below.getValue() : null;
    }

    /// Says where an address is that is in no allocation.
    String describe(long address, long bytes) {
        Map.Entry<Long, Allocation> below = allocations.floorEntry(address);
        if (below == null) {
            return "%d bytes at %#x: no allocation is near; is the upper half of the address lost?"
                    .formatted(bytes, address);
        }
        Allocation allocation = below.getValue();
        long offset = address - allocation.address;
        return offset < allocation.bytes + GAP
                ? "%d bytes at %#x: offset %,d of an allocation of %,d bytes"
                        .formatted(bytes, address, offset, allocation.bytes)
                : "%d bytes at %#x: no allocation is near".formatted(bytes, address);
    }

    private Allocation require(long address, long bytes) {
        Allocation allocation = find(address, bytes);
        if (allocation == null) {
            throw hostFault(describe(address, bytes));
        }
        return allocation;
    }

    private static EmulatorFault hostFault(String what) {
        return new EmulatorFault(OUT_OF_BOUNDS, 0, "the host touches " + what);
    }

    void write(long address, MemorySegment source) {
        Allocation allocation = require(address, source.byteSize());
        long offset = address - allocation.address;
        for (long done = 0; done < source.byteSize(); ) {
            Page page = allocation.pageToWrite(offset + done);
            int start = (int) (offset + done) & Page.BYTES - 1;
            int length = (int) Math.min(source.byteSize() - done, Page.BYTES - start);
            MemorySegment.copy(source, done, MemorySegment.ofArray(page.data), start, length);
            define(page, start, length);
            done += length;
        }
    }

    void fill(long address, long bytes, byte value) {
        Allocation allocation = require(address, bytes);
        long offset = address - allocation.address;
        for (long done = 0; done < bytes; ) {
            Page page = allocation.pageToWrite(offset + done);
            int start = (int) (offset + done) & Page.BYTES - 1;
            int length = (int) Math.min(bytes - done, Page.BYTES - start);
            MemorySegment.ofArray(page.data).asSlice(start, length).fill(value);
            define(page, start, length);
            done += length;
        }
    }

    /// Makes a range undefined again.
    private void undefine(long address, long bytes) {
        Allocation allocation = require(address, bytes);
        for (long at = address - allocation.address, end = at + bytes; at < end; at++) {
            Page page = allocation.pageToWrite(at);
            page.defined[((int) at & Page.BYTES - 1) >>> 2] &= (byte) ~(1 << (at & 3));
        }
    }

    private static void define(Page page, int start, int length) {
        int at = start;
        int end = start + length;
        for (; at < end && (at & 3) != 0; at++) {
            page.defined[at >>> 2] |= (byte) (1 << (at & 3));
        }
        if (end - at >= 4) {
            Arrays.fill(page.defined, at >>> 2, end >>> 2, (byte) 15);
            at = Math.max(at, end & ~3);
        }
        for (; at < end; at++) {
            page.defined[at >>> 2] |= (byte) (1 << (at & 3));
        }
    }

    void read(long address, MemorySegment target) {
        Allocation allocation = require(address, target.byteSize());
        long offset = address - allocation.address;
        for (long done = 0; done < target.byteSize(); ) {
            Page page = allocation.page(offset + done);
            int start = (int) (offset + done) & Page.BYTES - 1;
            int length = (int) Math.min(target.byteSize() - done, Page.BYTES - start);
            int undefined = page == null ? start : firstUndefined(page, start, start + length);
            if (undefined < start + length) {
                long at = offset + done + undefined - start;
                throw new EmulatorFault(
                        UNDEFINED_MEMORY,
                        0,
                        "the host reads %#x, offset %,d of an allocation of %,d bytes, where nothing was written"
                                .formatted(allocation.address + at, at, allocation.bytes));
            }
            MemorySegment.copy(MemorySegment.ofArray(page.data), start, target, done, length);
            done += length;
        }
    }

    /// Whether every byte of a range holds a value.
    boolean isDefined(long address, long bytes) {
        Allocation allocation = require(address, bytes);
        for (long at = address - allocation.address, end = at + bytes; at < end; at++) {
            Page page = allocation.page(at);
            if (page == null || (page.defined[((int) at & Page.BYTES - 1) >>> 2] >>> (at & 3) & 1) == 0) {
                return false;
            }
        }
        return true;
    }

    private static int firstUndefined(Page page, int start, int end) {
        for (int at = start; at < end; at++) {
            if ((at & 3) == 0 && at + 4 <= end && page.defined[at >>> 2] == 15) {
                at += 3;
            } else if ((page.defined[at >>> 2] >>> (at & 3) & 1) == 0) {
                return at;
            }
        }
        return end;
    }

    /// Copies values and which bytes hold one: a copy of undefined bytes is undefined, as on hardware.
    void copy(long source, long target, long bytes) {
        byte[] value = new byte[1];
        MemorySegment segment = MemorySegment.ofArray(value);
        Allocation from = require(source, bytes);
        require(target, bytes);
        for (long i = 0; i < bytes; ) {
            long at = source + i - from.address;
            int start = (int) at & Page.BYTES - 1;
            long toStart = target + i - require(target + i, 1).address & Page.BYTES - 1;
            int length = (int) Math.min(bytes - i, Page.BYTES - Math.max(start, toStart));
            Page page = from.page(at);
            if (page != null && firstUndefined(page, start, start + length) == start + length) {
                write(target + i, MemorySegment.ofArray(page.data).asSlice(start, length));
                i += length;
            } else {
                if (isDefined(source + i, 1)) {
                    segment.set(ValueLayout.JAVA_BYTE, 0, (byte) (page.data[start >>> 2] >>> 8 * (start & 3)));
                    write(target + i, segment);
                } else {
                    undefine(target + i, 1);
                }
                i++;
            }
        }
    }

    void forgetAccesses() {
        allocations.values().forEach(Allocation::forgetAccesses);
    }
}
