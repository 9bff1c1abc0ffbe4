package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;

import java.util.Arrays;

/// The shared memory of a block: values, which bytes hold one, and for every word who wrote it last and which warps
/// read it when.
///
/// As with [GlobalSpace], accesses take [Warp#addresses] and move words through [Warp#staging].
final class SharedMemory {
    private final int start;
    private final int end;
    final int[] data;
    /// Four bits a word, the lowest for the lowest byte.
    private final byte[] defined;
    /// [Access] by word.
    private final long[] writes;
    /// By actor, then word; null for those that never read.
    private final long[][] reads;
    /// By word, the latest epoch of any read.
    private final int[] latestReads;
    /// By word, how many bulk copies and matrix products may be reading it, and the instruction of the latest.
    private final short[] readers;
    private final char[] reader;
    /// By byte, for words with [Access#SPECIAL].
    private long[] byteWrites;
    private final long[][] byteReads;

    /// @param start the first address that the kernel may use
    /// @param end the address after the last
    SharedMemory(int start, int end, int actors) {
        this.start = start;
        this.end = end;
        int words = (end + 3) / 4;
        data = new int[words];
        defined = new byte[words];
        writes = new long[words];
        reads = new long[actors][];
        latestReads = new int[words];
        readers = new short[words];
        reader = new char[words];
        byteReads = new long[actors][];
    }

    /// Whether this object serves such a block.
    boolean fits(int end, int actors) {
        return this.end == end && reads.length == actors;
    }

    /// Begins a block: nothing is defined.
    void start() {
        Arrays.fill(defined, (byte) 0);
    }

    private long[] readsOf(int actor) {
        if (reads[actor] == null) {
            reads[actor] = new long[writes.length];
        }
        return reads[actor];
    }

    private int check(Warp warp, int lane, int size) {
        long address = warp.addresses[lane];
        if (address < start || address + size > end) {
            throw warp.fault(
                    OUT_OF_BOUNDS,
                    lane,
                    "shared memory: %d bytes at %#x, outside of the %,d bytes that the block has at %#x%s"
                            .formatted(
                                    size,
                                    address,
                                    end - start,
                                    start,
                                    Cluster.isMapped(address) ? ": an address of mapa is for .shared::cluster" : ""));
        }
        return (int) address;
    }

    /// Loads `size` bytes a lane.
    ///
    /// @param flags [Access#STRONG] or 0
    void load(Warp warp, int mask, int size, int flags) {
        int[] staging = warp.staging;
        long stamp = warp.stamp() | flags;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int address = check(warp, lane, size);
            int word = address >> 2;
            if (size < 4) {
                int shift = address & 3;
                readBytes(warp, lane, word, ((1 << size) - 1) << shift, Access.lane(stamp, lane));
                staging[lane] = data[word] >>> 8 * shift & (1 << 8 * size) - 1;
            } else {
                readWords(warp, lane, word, size >> 2, Access.lane(stamp, lane));
                for (int i = 0; i < size >> 2; i++) {
                    staging[i * 32 + lane] = data[word + i];
                }
            }
        }
    }

    /// Checks a read of whole words.
    private void readWords(Warp warp, int lane, int first, int count, long entry) {
        long[] own = readsOf(warp.actor);
        for (int word = first; word < first + count; word++) {
            if (defined[word] != 15) {
                throw undefined(warp, lane, word, 15);
            }
            if (Access.since(writes[word], warp.limit)) {
                checkRead(warp, lane, word, 15, entry);
            }
            noteRead(warp, own, word, entry);
        }
    }

    private void noteRead(Warp warp, long[] own, int word, long entry) {
        latestReads[word] = Math.max(latestReads[word], warp.epoch);
        long old = own[word];
        if (old < 0) {
            for (int i = 0; i < 4; i++) {
                byteReads[warp.actor][word * 4 + i] = mergeLanes(byteReads[warp.actor][word * 4 + i], entry, warp);
            }
        } else {
            own[word] = mergeLanes(old, entry, warp);
        }
    }

    private static long mergeLanes(long old, long now, Warp warp) {
        if (Access.epoch(old) < warp.together) {
            return now;
        }
        long both = now & (old | ~Access.STRONG);
        return Access.lane(old) == Access.lane(now) ? both | old & Access.SEVERAL_LANES : both | Access.SEVERAL_LANES;
    }

    private void readBytes(Warp warp, int lane, int word, int bytes, long entry) {
        if ((defined[word] & bytes) != bytes) {
            throw undefined(warp, lane, word, bytes);
        }
        if (Access.since(writes[word], warp.limit)) {
            checkRead(warp, lane, word, bytes, entry);
        }
        latestReads[word] = Math.max(latestReads[word], warp.epoch);
        long[] own = readsOf(warp.actor);
        if (byteReads[warp.actor] == null) {
            byteReads[warp.actor] = new long[own.length * 4];
        }
        long[] split = byteReads[warp.actor];
        if (own[word] >= 0) {
            Arrays.fill(split, word * 4, word * 4 + 4, own[word]);
            own[word] = Access.SPECIAL;
        }
        for (int i = 0; i < 4; i++) {
            if ((bytes >>> i & 1) != 0) {
                split[word * 4 + i] = mergeLanes(split[word * 4 + i], entry, warp);
            }
        }
    }

    /// Reads a row of a matrix, on behalf of the whole warp.
    void readRow(Warp warp, int lane, long stamp) {
        int address = check(warp, lane, 16);
        readWords(warp, lane, address >> 2, 4, Access.lane(stamp, lane) | Access.SEVERAL_LANES);
    }

    /// Writes a row of a matrix, in [Warp#staging], on behalf of the whole warp.
    void writeRow(Warp warp, int lane, long stamp) {
        int word = check(warp, lane, 16) >> 2;
        long entry = Access.lane(stamp, lane) | Access.SEVERAL_LANES;
        for (int i = 0; i < 4; i++) {
            writeWord(warp, lane, word + i, entry);
            data[word + i] = warp.staging[i * 32 + lane];
        }
    }

    private void checkRead(Warp warp, int lane, int word, int bytes, long entry) {
        long write = writes[word];
        if (write >= 0) {
            checkRead(warp, lane, word * 4 + Integer.numberOfTrailingZeros(bytes), write, entry);
            return;
        }
        requireOrdinary(warp, lane, word, "reads");
        for (int i = 0; i < 4; i++) {
            if ((bytes >>> i & 1) != 0) {
                checkRead(warp, lane, word * 4 + i, byteWrites[word * 4 + i], entry);
            }
        }
    }

    private void checkRead(Warp warp, int lane, int address, long write, long entry) {
        if (!Access.has(write & entry, Access.STRONG) && unordered(write, warp, lane, entry)) {
            throw race(warp, lane, address, "reads", "wrote", write);
        }
        requireFenced(warp, lane, address, write, entry);
    }

    /// Whether nothing orders an earlier access and one of a lane now.
    private static boolean unordered(long old, Warp warp, int lane, long entry) {
        if (!Access.ordered(old, warp, lane)) {
            return true;
        }
        // A read on behalf of the whole warp is a read by other lanes, too.
        return Access.has(entry, Access.SEVERAL_LANES)
                && !Access.has(old, Access.SEVERAL_WARPS)
                && Access.warp(old) == warp.actor
                && Access.epoch(old) >= warp.together;
    }

    /// Stores `size` bytes a lane.
    ///
    /// @param flags [Access#STRONG] or 0
    void store(Warp warp, int mask, int size, int flags) {
        int[] staging = warp.staging;
        long stamp = warp.stamp() | flags;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int address = check(warp, lane, size);
            int word = address >> 2;
            long entry = Access.lane(stamp, lane);
            if (size < 4) {
                int shift = address & 3;
                writeBytes(warp, lane, word, ((1 << size) - 1) << shift, entry);
                int bits = ((1 << 8 * size) - 1) << 8 * shift;
                data[word] = data[word] & ~bits | staging[lane] << 8 * shift & bits;
            } else {
                for (int i = 0; i < size >> 2; i++) {
                    boolean changes = defined[word + i] != 15 || data[word + i] != staging[i * 32 + lane];
                    writeWord(warp, lane, word + i, entry, changes);
                    data[word + i] = staging[i * 32 + lane];
                }
            }
        }
    }

    private void writeWord(Warp warp, int lane, int word, long entry) {
        writeWord(warp, lane, word, entry, true);
    }

    /// @param changes whether the word will hold something else. If not, it does not matter which thread wrote last.
    private void writeWord(Warp warp, int lane, int word, long entry, boolean changes) {
        long all = entry;
        requireRead(warp, lane, word);
        long old = writes[word];
        if (Access.since(old, warp.limit) || Access.has(entry, Access.ASYNC)) {
            boolean again = !changes && old >= 0 && !Access.has(old | entry, Access.ASYNC | Access.STRONG);
            if (again && Access.warp(old) != warp.actor) {
                all = old;
            } else {
                if (!again) {
                    checkWrite(warp, lane, word, 15, entry);
                }
                if (again || Access.has(entry, Access.STRONG) && old >= 0) {
                    all = Access.merge(old, entry, warp);
                }
            }
        }
        checkReaders(warp, lane, word, 15, entry);
        defined[word] = 15;
        writes[word] = all;
    }

    private void writeBytes(Warp warp, int lane, int word, int bytes, long entry) {
        requireRead(warp, lane, word);
        if (Access.since(writes[word], warp.limit)) {
            checkWrite(warp, lane, word, bytes, entry);
        }
        checkReaders(warp, lane, word, bytes, entry);
        if (byteWrites == null) {
            byteWrites = new long[writes.length * 4];
        }
        if (writes[word] >= 0) {
            Arrays.fill(byteWrites, word * 4, word * 4 + 4, writes[word]);
            writes[word] = Access.SPECIAL;
        }
        for (int i = 0; i < 4; i++) {
            if ((bytes >>> i & 1) != 0) {
                byteWrites[word * 4 + i] = entry;
            }
        }
        defined[word] |= (byte) bytes;
    }

    private void checkWrite(Warp warp, int lane, int word, int bytes, long entry) {
        if (writes[word] >= 0) {
            checkOverwrite(warp, lane, word * 4, writes[word], entry, "wrote");
            return;
        }
        requireOrdinary(warp, lane, word, "writes");
        for (int i = 0; i < 4; i++) {
            if ((bytes >>> i & 1) != 0) {
                checkOverwrite(warp, lane, word * 4 + i, byteWrites[word * 4 + i], entry, "wrote");
            }
        }
    }

    private void checkReaders(Warp warp, int lane, int word, int bytes, long entry) {
        if (latestReads[word] <= warp.horizon) {
            return;
        }
        for (int reader = 0; reader < reads.length; reader++) {
            long read = reads[reader] == null ? 0 : reads[reader][word];
            // Lanes that store rows together have all come to that, and so have read what they read before.
            boolean together = reader == warp.actor && Access.has(entry, Access.SEVERAL_LANES);
            if (together || !Access.since(read, warp.limit)) {
                continue;
            }
            if (read >= 0) {
                checkOverwrite(warp, lane, word * 4, read, entry, "read");
                continue;
            }
            for (int i = 0; i < 4; i++) {
                if ((bytes >>> i & 1) != 0) {
                    checkOverwrite(warp, lane, word * 4 + i, byteReads[reader][word * 4 + i], entry, "read");
                }
            }
        }
    }

    private void checkOverwrite(Warp warp, int lane, int address, long old, long entry, String did) {
        if (!Access.has(old & entry, Access.STRONG) && !Access.ordered(old, warp, lane)) {
            throw race(warp, lane, address, "writes", did, old);
        }
        if (did.equals("wrote")) {
            requireFenced(warp, lane, address, old, entry);
        }
    }

    /// Faults if the asynchronous proxy may not see what the generic one wrote.
    private void requireFenced(Warp warp, int lane, int address, long write, long entry) {
        if (Access.has(entry & ~write, Access.ASYNC)
                && Access.epoch(write) >= warp.block.cluster.firstEpoch
                && !Access.isCovered(write, warp.proxied.shared)) {
            throw unfenced(warp, lane, "shared memory at %#x".formatted(address), warp.otherThread(write), write);
        }
    }

    static EmulatorFault unfenced(Warp warp, int lane, String place, String writer, long write) {
        return warp.fault(
                RACE,
                lane,
                ("accesses %s through the asynchronous proxy, which %s wrote through the generic proxy at %s: "
                                + "fence.proxy.async is missing, or for other memory, after the write, after what orders the two, or"
                                + " between")
                        .formatted(place, writer, warp.block.execution.where(write)));
    }

    private void requireRead(Warp warp, int lane, int word) {
        if (readers[word] != 0) {
            throw warp.fault(
                    ASYNC_COPY,
                    lane,
                    "writes shared memory at %#x while %s may still be reading it: whoever issued that must wait first"
                            .formatted(word * 4, warp.block.execution.program.where(reader[word])));
        }
    }

    private void requireOrdinary(Warp warp, int lane, int word, String does) {
        long write = writes[word];
        if (Access.has(write, Access.MBARRIER)) {
            throw warp.fault(
                    BARRIER,
                    lane,
                    "%s shared memory at %#x, which is an mbarrier since %s: only mbarrier instructions may"
                            .formatted(does, word * 4, warp.block.execution.where(write)));
        }
        if (Access.has(write, Access.COPYING)) {
            String rule = Access.has(write, Access.ASYNC)
                    ? "who touches it must first find the phase of its mbarrier complete, or be told so by a barrier"
                    : "that thread must wait (cp.async.wait_group or wait_all) first, and a barrier must follow for"
                            + " other threads";
            throw warp.fault(
                    ASYNC_COPY,
                    lane,
                    "%s shared memory at %#x while %s may still be copying to it: %s; the copy is of %s"
                            .formatted(
                                    does, word * 4, warp.otherThread(write), rule, warp.block.execution.where(write)));
        }
    }

    private EmulatorFault race(Warp warp, int lane, int address, String does, String did, long other) {
        boolean several = Access.has(other, Access.SEVERAL_WARPS);
        boolean sameWarp = !several && Access.warp(other) == warp.actor;
        return warp.fault(
                RACE,
                lane,
                "%s shared memory at %#x, which %s %s at %s, and nothing orders the two: %s is missing between them"
                        .formatted(
                                does,
                                address,
                                warp.otherThread(other),
                                did,
                                warp.block.execution.where(other),
                                sameWarp ? "bar.warp.sync or a barrier" : "a barrier"));
    }

    private EmulatorFault undefined(Warp warp, int lane, int word, int bytes) {
        int missing = bytes & ~defined[word];
        if (writes[word] < 0) {
            requireOrdinary(warp, lane, word, "reads");
        }
        return warp.fault(
                UNDEFINED_MEMORY,
                lane,
                "reads shared memory at %#x, where nothing was written"
                        .formatted(word * 4 + Integer.numberOfTrailingZeros(missing)));
    }

    /// Checks and records the start of an asynchronous copy by a lane to whole words.
    void beginCopy(Warp warp, int lane, int size) {
        int word = check(warp, lane, size) >> 2;
        long entry = Access.lane(warp.stamp(), lane);
        for (int i = word; i < word + (size >> 2); i++) {
            writeWord(warp, lane, i, entry);
            defined[i] = 0;
            writes[i] = entry | Access.SPECIAL | Access.COPYING;
        }
    }

    /// The lane that started a copy has waited for it: it is as if it wrote the words now.
    ///
    /// @param instruction that started the copy
    void endCopy(Warp warp, int lane, int address, int size, int instruction) {
        long entry = Access.lane(Access.stamp(warp.epoch, instruction, warp.actor), lane);
        for (int i = address >> 2; i < address + size >> 2; i++) {
            defined[i] = 15;
            writes[i] = entry;
        }
    }

    /// Checks and records the start of a bulk copy to 16 bytes.
    void beginBulkWrite(Warp warp, int lane, int address) {
        warp.addresses[lane] = address;
        int word = check(warp, lane, Chunks.BYTES) >> 2;
        long entry = Access.lane(warp.stamp(), lane) | Access.ASYNC;
        for (int i = word; i < word + 4; i++) {
            writeWord(warp, lane, i, entry);
            defined[i] = 0;
            data[i] = AsyncCopies.POISON;
            writes[i] = entry | Access.SPECIAL | Access.COPYING;
        }
    }

    /// A lane has waited for a bulk copy: it is as if it wrote the 16 bytes now.
    void endBulkWrite(Warp warp, int lane, int address, int instruction) {
        long entry = Access.lane(Access.stamp(warp.epoch, instruction, warp.actor), lane) | Access.ASYNC;
        for (int i = address >> 2; i < address + Chunks.BYTES >> 2; i++) {
            defined[i] = 15;
            writes[i] = entry;
        }
    }

    /// Checks a read through the asynchronous proxy.
    ///
    /// @param flags [Access#SEVERAL_LANES] or 0
    void requireReadable(Warp warp, int lane, int address, int bytes, int flags) {
        warp.addresses[lane] = address;
        int first = check(warp, lane, bytes) >> 2;
        long entry = Access.lane(warp.stamp(), lane) | Access.ASYNC | flags;
        for (int word = first; word < first + (bytes >> 2); word++) {
            if (defined[word] != 15) {
                throw undefined(warp, lane, word, 15);
            }
            checkRead(warp, lane, word, 15, entry);
        }
    }

    /// From now until [#endRead] a bulk copy or a matrix product may read, and nobody may write there.
    void hold(int address, int bytes, int instruction) {
        for (int word = address >> 2; word < address + bytes >> 2; word++) {
            readers[word]++;
            reader[word] = (char) instruction;
        }
    }

    /// Ends such a read by a warpgroup's product.
    ///
    /// @param actor the warpgroup, behind the warps
    /// @param epoch of its own
    void endProduct(int actor, int epoch, int address, int instruction) {
        long entry = Access.stamp(epoch, instruction, actor) | Access.ASYNC | Access.SEVERAL_LANES;
        long[] own = readsOf(actor);
        for (int word = address >> 2; word < address + Chunks.BYTES >> 2; word++) {
            readers[word]--;
            own[word] = entry;
            latestReads[word] = Math.max(latestReads[word], epoch);
        }
    }

    /// Ends such a read by a bulk copy: it is as if the lane that issued it read the words now.
    void endRead(Warp warp, int lane, int address, int bytes, int instruction) {
        long entry = Access.lane(Access.stamp(warp.epoch, instruction, warp.actor), lane) | Access.ASYNC;
        long[] own = readsOf(warp.actor);
        for (int word = address >> 2; word < address + bytes >> 2; word++) {
            readers[word]--;
            noteRead(warp, own, word, entry);
        }
    }

    /// The word that an atomic operation of a lane changes, its accesses checked.
    int atomic(Warp warp, int lane, int size) {
        int word = check(warp, lane, size) >> 2;
        long entry = Access.lane(warp.stamp() | Access.STRONG, lane);
        for (int i = word; i < word + (size >> 2); i++) {
            if (defined[i] != 15) {
                throw undefined(warp, lane, i, 15);
            }
            writeWord(warp, lane, i, entry);
        }
        return word;
    }

    /// Makes the 8 bytes at the address of a lane an mbarrier, which nothing but its instructions may touch.
    void claim(Warp warp, int lane) {
        int word = check(warp, lane, 8) >> 2;
        long entry = Access.lane(warp.stamp(), lane);
        for (int i = word; i < word + 2; i++) {
            writeWord(warp, lane, i, entry);
            defined[i] = 0;
            writes[i] = entry | Access.SPECIAL | Access.MBARRIER;
        }
    }

    /// Ends what [#claim] began; the bytes hold nothing.
    void disclaim(Warp warp, int lane) {
        int word = (int) warp.addresses[lane] >> 2;
        writes[word] = Access.lane(warp.stamp(), lane);
        writes[word + 1] = writes[word];
    }

    /// As [#disclaim], with the block at its end.
    void forget(int address) {
        writes[address >> 2] = 0;
        writes[(address >> 2) + 1] = 0;
    }

    /// Faults unless there is an mbarrier at the address of a lane, initialised before now.
    ///
    /// @param fenced whether `fence.mbarrier_init` followed
    void requireMBarrier(Warp warp, int lane, int size, boolean fenced) {
        int word = check(warp, lane, size) >> 2;
        long entry = writes[word];
        if (entry >= 0 || !Access.has(entry, Access.MBARRIER)) {
            throw warp.fault(BARRIER, lane, "there is no mbarrier at %#x".formatted(word * 4));
        }
        if (!Access.ordered(entry, warp, lane) && !(fenced && Access.isCovered(entry, warp.initialised))) {
            throw race(warp, lane, word * 4, "uses an mbarrier in", "initialised", entry);
        }
    }

    /// The access that initialised an mbarrier.
    long initialisation(int address) {
        return writes[address >> 2];
    }
}
