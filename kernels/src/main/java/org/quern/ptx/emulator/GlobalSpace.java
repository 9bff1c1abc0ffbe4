package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.READ_ONLY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;

/// Global memory as the warps of one launch see it: bounds, definedness, races within a block and between blocks.
///
/// Accesses take the addresses in [Warp#addresses] and move words through [Warp#staging]: word `k` of a lane at
/// `k * 32 + lane`, narrow values in the low bits.
final class GlobalSpace {
    private final GlobalMemory memory;
    private final Execution execution;
    /// The allocation that was accessed last.
    private Allocation recent;

    GlobalSpace(GlobalMemory memory, Execution execution) {
        this.memory = memory;
        this.execution = execution;
    }

    private Allocation find(Warp warp, int lane, long address, int bytes) {
        Allocation allocation = recent;
        if (allocation != null && allocation.contains(address, bytes)) {
            return allocation;
        }
        allocation = memory.find(address, bytes);
        if (allocation == null) {
            throw warp.fault(OUT_OF_BOUNDS, lane, "global memory: " + memory.describe(address, bytes));
        }
        recent = allocation;
        return allocation;
    }

    /// Loads `size` bytes a lane.
    ///
    /// @param flags [Access#CONSTANT] or [Access#STRONG]
    void load(Warp warp, int mask, int size, int flags) {
        long[] addresses = warp.addresses;
        int[] staging = warp.staging;
        long stamp = warp.stamp() | flags;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = addresses[lane];
            Allocation allocation = find(warp, lane, address, size);
            long offset = address - allocation.address;
            Page page = allocation.page(offset);
            if (page == null) {
                throw undefined(warp, lane, address, allocation);
            }
            int word = word(allocation, address);
            long entry = Access.lane(stamp, lane);
            if (size < 4) {
                int shift = (int) offset & 3;
                readBytes(warp, lane, page, word, ((1 << size) - 1) << shift, entry, address);
                staging[lane] = page.data[word] >>> 8 * shift & (1 << 8 * size) - 1;
            } else {
                for (int i = 0; i < size >> 2; i++) {
                    readWord(warp, lane, page, word + i, entry, address + 4 * i);
                    staging[i * 32 + lane] = page.data[word + i];
                }
            }
        }
    }

    private void readWord(Warp warp, int lane, Page page, int word, long entry, long address) {
        if (page.defined[word] != 15) {
            throw undefined(warp, lane, address, page.defined[word]);
        }
        if (page.writes != null && Access.since(page.writes[word], execution.unfinishedLimit)) {
            if (page.writes[word] < 0) {
                for (int i = 0; i < 4; i++) {
                    checkRead(warp, lane, page.byteWrites[word * 4 + i], entry, address + i);
                }
            } else {
                checkRead(warp, lane, page.writes[word], entry, address);
            }
        }
        long[] reads = page.reads();
        long old = reads[word];
        if (!Access.since(old, execution.launchLimit)) {
            reads[word] = entry;
        } else if (old < 0) {
            for (int i = 0; i < 4; i++) {
                page.byteReads[word * 4 + i] = merge(page.byteReads[word * 4 + i], entry, warp);
            }
        } else {
            reads[word] = merge(old, entry, warp);
        }
    }

    private void readBytes(Warp warp, int lane, Page page, int word, int bytes, long entry, long address) {
        if ((page.defined[word] & bytes) != bytes) {
            throw undefined(warp, lane, address, page.defined[word] >>> Integer.numberOfTrailingZeros(bytes));
        }
        long write = page.writes == null ? 0 : page.writes[word];
        page.splitReads(word);
        for (int i = word * 4, rest = bytes; rest != 0; rest >>>= 1, i++) {
            if ((rest & 1) != 0) {
                checkRead(warp, lane, write < 0 ? page.byteWrites[i] : write, entry, address);
                page.byteReads[i] = merge(page.byteReads[i], entry, warp);
            }
        }
    }

    private void checkRead(Warp warp, int lane, long write, long entry, long address) {
        if (!Access.since(write, execution.launchLimit)) {
            checkDependency(warp, lane, write, address, "reads", "wrote");
            return;
        }
        if (Access.has(entry, Access.CONSTANT)) {
            throw warp.fault(
                    READ_ONLY,
                    lane,
                    "reads %#x, which this launch wrote at %s, as memory that nobody writes: so do .nc and tensor maps"
                            .formatted(address, execution.where(write)));
        }
        if (Access.has(write & entry, Access.STRONG)) {
            return;
        }
        if (!happenedBefore(write, warp, lane)) {
            throw race(warp, lane, address, "reads", "wrote", write);
        }
        if (Access.has(entry & ~write, Access.ASYNC) && !warp.isProxied(write)) {
            throw SharedMemory.unfenced(
                    warp, lane, "global memory at %#x".formatted(address), other(warp, write), write);
        }
    }

    /// Whether an access of this launch, of whatever block, happened before what a lane does now.
    private boolean happenedBefore(long access, Warp warp, int lane) {
        return Access.epoch(access) < warp.block.cluster.firstEpoch
                ? warp.hasAcquired(access)
                : Access.ordered(access, warp, lane);
    }

    private long merge(long old, long now, Warp warp) {
        if (!Access.since(old, execution.launchLimit)) {
            return now;
        }
        long kept = old & (Access.OTHER_BLOCKS | Access.CONSTANT);
        if (Access.epoch(old) < warp.block.cluster.firstEpoch) {
            return now | kept | (warp.hasAcquired(old) ? 0 : Access.OTHER_BLOCKS);
        }
        return Access.merge(old, now, warp) | kept;
    }

    /// Somebody has waited for the copy that read some bytes: unless others read them, too, it is as if he had.
    ///
    /// @param reader what the copy left there
    void observed(Warp warp, int lane, long address, int bytes, long reader, long observer) {
        Allocation allocation = find(warp, lane, address, bytes);
        for (long at = address - allocation.address, end = at + bytes; at < end; at++) {
            Page page = allocation.page(at);
            int inPage = (int) at & Page.BYTES - 1;
            if (page.reads[inPage >>> 2] < 0) {
                page.byteReads[inPage] = page.byteReads[inPage] == reader ? observer : page.byteReads[inPage];
            } else {
                if (page.reads[inPage >>> 2] == reader) {
                    page.reads[inPage >>> 2] = observer;
                }
                at |= 3;
            }
        }
    }

    /// Stores `size` bytes a lane.
    ///
    /// @param flags [Access#STRONG] or 0
    void store(Warp warp, int mask, int size, int flags) {
        long[] addresses = warp.addresses;
        int[] staging = warp.staging;
        long stamp = warp.stamp() | flags;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = addresses[lane];
            Allocation allocation = find(warp, lane, address, size);
            long offset = address - allocation.address;
            Page page = allocation.pageToWrite(offset);
            int word = word(allocation, address);
            long entry = Access.lane(stamp, lane);
            if (size < 4) {
                int shift = (int) offset & 3;
                int bytes = ((1 << size) - 1) << shift;
                writeBytes(warp, lane, page, word, bytes, entry, address);
                int bits = ((1 << 8 * size) - 1) << 8 * shift;
                page.data[word] = page.data[word] & ~bits | staging[lane] << 8 * shift & bits;
            } else {
                for (int i = 0; i < size >> 2; i++) {
                    boolean changes = page.defined[word + i] != 15 || page.data[word + i] != staging[i * 32 + lane];
                    writeWord(warp, lane, page, word + i, entry, address + 4 * i, changes);
                    page.data[word + i] = staging[i * 32 + lane];
                }
            }
        }
    }

    private void writeWord(Warp warp, int lane, Page page, int word, long entry, long address) {
        writeWord(warp, lane, page, word, entry, address, true);
    }

    /// @param changes whether the word will hold something else. If not, and if its warp wrote it last, it does not
    ///     matter which of its lanes came last.
    private void writeWord(Warp warp, int lane, Page page, int word, long entry, long address, boolean changes) {
        page.defined[word] = 15;
        long[] writes = page.writes();
        long old = writes[word];
        if (Access.since(old, execution.unfinishedLimit)) {
            if (old < 0) {
                for (int i = 0; i < 4; i++) {
                    checkWrite(warp, lane, page.byteWrites[word * 4 + i], entry, address + i, "wrote");
                }
            } else {
                boolean own = Access.epoch(old) >= warp.block.cluster.firstEpoch
                        && !Access.has(old, Access.SEVERAL_WARPS)
                        && Access.warp(old) == warp.actor;
                boolean again = !changes && own;
                if (!again) {
                    checkWrite(warp, lane, old, entry, address, "wrote");
                }
                if ((again || Access.has(entry, Access.STRONG)) && Access.epoch(old) >= warp.block.cluster.firstEpoch) {
                    entry = Access.merge(old, entry, warp);
                }
            }
        }
        if (page.reads != null && Access.since(page.reads[word], execution.unfinishedLimit)) {
            if (page.reads[word] < 0) {
                for (int i = 0; i < 4; i++) {
                    checkWrite(warp, lane, page.byteReads[word * 4 + i], entry, address + i, "read");
                }
            } else {
                checkWrite(warp, lane, page.reads[word], entry, address, "read");
            }
        }
        writes[word] = entry;
    }

    private void writeBytes(Warp warp, int lane, Page page, int word, int bytes, long entry, long address) {
        page.defined[word] |= (byte) bytes;
        page.splitWrites(word);
        long read = page.reads == null ? 0 : page.reads[word];
        for (int i = word * 4, rest = bytes; rest != 0; rest >>>= 1, i++) {
            if ((rest & 1) != 0) {
                checkWrite(warp, lane, page.byteWrites[i], entry, address, "wrote");
                checkWrite(warp, lane, read < 0 ? page.byteReads[i] : read, entry, address, "read");
                page.byteWrites[i] = entry;
            }
        }
    }

    private void checkWrite(Warp warp, int lane, long old, long entry, long address, String did) {
        if (!Access.since(old, execution.launchLimit)) {
            checkDependency(warp, lane, old, address, "writes", did);
            return;
        }
        if (Access.has(old, Access.CONSTANT)) {
            throw warp.fault(
                    READ_ONLY,
                    lane,
                    "writes %#x, which this launch read at %s as memory that nobody writes: so do .nc and tensor maps"
                            .formatted(address, execution.where(old)));
        }
        if (Access.has(old & entry, Access.STRONG)) {
            return;
        }
        if (Access.has(old, Access.OTHER_BLOCKS) || !happenedBefore(old, warp, lane)) {
            throw race(warp, lane, address, "writes", did, old);
        }
    }

    /// Faults if a launch before this one, which may still run, did something where a lane does something now.
    private void checkDependency(Warp warp, int lane, long other, long address, String does, String did) {
        if (Access.since(other, execution.unfinishedLimit) && !warp.dependencies.areDone(lane)) {
            Program program = execution
                    .unfinished
                    .orElseThrow()
                    .floorEntry(Access.epoch(other))
                    .getValue();
            throw warp.fault(
                    RACE,
                    lane,
                    "%s global memory at %#x, which %s %s at %s; it may still run: griddepcontrol.wait is missing before"
                            .formatted(does, address, program.name, did, program.where(Access.instruction(other))));
        }
    }

    private EmulatorFault race(Warp warp, int lane, long address, String does, String did, long other) {
        return warp.fault(
                RACE,
                lane,
                "%s global memory at %#x, which %s %s at %s, and nothing orders the two"
                        .formatted(does, address, other(warp, other), did, execution.where(other)));
    }

    /// Who did something in this launch.
    private static String other(Warp warp, long access) {
        boolean foreign =
                Access.epoch(access) < warp.block.cluster.firstEpoch || Access.has(access, Access.OTHER_BLOCKS);
        return foreign ? "another block of this launch" : warp.otherThread(access);
    }

    private EmulatorFault undefined(Warp warp, int lane, long address, int defined) {
        long at = address + Integer.numberOfTrailingZeros(~defined);
        return undefined(warp, lane, at, find(warp, lane, at, 1));
    }

    private EmulatorFault undefined(Warp warp, int lane, long address, Allocation allocation) {
        return warp.fault(
                UNDEFINED_MEMORY,
                lane,
                "reads global memory at %#x, offset %,d of an allocation of %,d bytes, where nothing was written"
                        .formatted(address, address - allocation.address, allocation.bytes));
    }

    /// Checks an atomic operation of a lane on a value that is defined, and records it.
    ///
    /// @return the page that holds the value
    Page atomic(Warp warp, int lane, long address, int size) {
        Allocation allocation = find(warp, lane, address, size);
        Page page = allocation.pageToWrite(address - allocation.address);
        int word = word(allocation, address);
        long entry = Access.lane(warp.stamp() | Access.STRONG, lane);
        for (int i = 0; i < size >> 2; i++) {
            if (page.defined[word + i] != 15) {
                throw undefined(warp, lane, address + 4 * i, page.defined[word + i]);
            }
            writeWord(warp, lane, page, word + i, entry, address + 4 * i);
        }
        return page;
    }

    /// The word of its page that an address is.
    int word(Warp warp, int lane, long address) {
        return word(find(warp, lane, address, 4), address);
    }

    private static int word(Allocation allocation, long address) {
        return ((int) (address - allocation.address) & Page.BYTES - 1) >>> 2;
    }
}
