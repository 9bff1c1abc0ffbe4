package org.quern.ptx.emulator;

/// A bulk copy that was issued, from then until somebody has waited for it.
final class BulkCopy {
    /// Who issued it.
    final Warp warp;
    final int lane;
    final int instruction;
    final Chunks chunks;
    /// What becomes of the target; null if it is replaced.
    private final Combination change;
    /// What its end is told to; null for copies to global memory.
    final MBarrier barrier;
    /// Of its lane's bulk groups, for copies to global memory.
    final int group;
    private final int[] values;
    /// How the race detector knows what was read of global memory.
    private long reader;
    private boolean hasRead;
    private boolean hasWritten;
    private boolean released;

    BulkCopy(Warp warp, int lane, Chunks chunks, Combination change, MBarrier barrier, int group) {
        this.warp = warp;
        this.lane = lane;
        this.chunks = chunks;
        this.change = change;
        this.barrier = barrier;
        this.group = group;
        instruction = warp.at;
        values = new int[4 * chunks.count()];
    }

    int bytes() {
        return chunks.count() * Chunks.BYTES;
    }

    boolean hasRead() {
        return hasRead;
    }

    boolean hasWritten() {
        return hasWritten;
    }

    /// Whether the source may change again, as its issuer has waited.
    boolean isReleased() {
        return released;
    }

    void release() {
        released = true;
    }

    /// Takes what there is at the source now.
    void read() {
        hasRead = true;
        if (barrier == null) {
            int[] data = warp.block.shared.data;
            for (int i = 0; i < chunks.count(); i++) {
                System.arraycopy(data, chunks.shared()[i] >> 2, values, 4 * i, 4);
            }
            return;
        }
        asIssued(() -> {
            reader = Access.lane(warp.stamp() | Access.ASYNC, lane);
            for (int i = 0; i < chunks.count(); i++) {
                int from = chunks.from()[i];
                int to = chunks.to()[i];
                if (from < to) {
                    read(4 * i, chunks.global()[i], from, to);
                }
            }
        });
    }

    /// Global memory is read in the largest pieces that its alignment allows.
    private void read(int at, long address, int from, int to) {
        int size = piece(address, from, to);
        for (int offset = from; offset < to; offset += size) {
            warp.addresses[lane] = address + offset;
            warp.block.execution.global.load(warp, 1 << lane, size, Access.ASYNC);
            if (size < 4) {
                values[at + (offset >> 2)] |= warp.staging[lane] << 8 * (offset & 3);
            } else {
                for (int i = 0; i < size >> 2; i++) {
                    values[at + (offset >> 2) + i] = warp.staging[i * 32 + lane];
                }
            }
        }
    }

    /// A lane has waited for a copy to shared memory: it is as if it had read global memory.
    void observed(Warp observer, int lane) {
        long entry = Access.lane(Access.stamp(observer.epoch, instruction, observer.actor) | Access.ASYNC, lane);
        for (int i = 0; i < chunks.count(); i++) {
            int from = chunks.from()[i];
            int to = chunks.to()[i];
            if (from < to) {
                warp.block.execution.global.observed(warp, lane, chunks.global()[i] + from, to - from, reader, entry);
            }
        }
    }

    private static int piece(long address, int from, int to) {
        int size = Chunks.BYTES;
        while (((address | from | to) & size - 1) != 0) {
            size >>= 1;
        }
        return size == 8 ? 4 : size;
    }

    /// Puts what was read to the target. Shared memory does not count as written before somebody has waited.
    void write() {
        hasWritten = true;
        if (barrier != null) {
            int[] data = barrier.block.shared.data;
            for (int i = 0; i < chunks.count(); i++) {
                System.arraycopy(values, 4 * i, data, chunks.shared()[i] >> 2, 4);
            }
            return;
        }
        asIssued(() -> {
            for (int i = 0; i < chunks.count(); i++) {
                int from = chunks.from()[i];
                int to = chunks.to()[i];
                if (from < to) {
                    write(4 * i, chunks.global()[i], from, to);
                }
            }
        });
    }

    private void write(int at, long address, int from, int to) {
        int size = change == null ? piece(address, from, to) : change.type().bytes();
        GlobalSpace global = warp.block.execution.global;
        int[] staging = warp.staging;
        for (int offset = from; offset < to; offset += size) {
            warp.addresses[lane] = address + offset;
            int first = at + (offset >> 2);
            int value = values[first] >>> 8 * (offset & 3);
            if (change == null) {
                staging[lane] = value;
                for (int i = 1; i < size >> 2; i++) {
                    staging[i * 32 + lane] = values[first + i];
                }
                global.store(warp, 1 << lane, size, Access.ASYNC);
                continue;
            }
            global.load(warp, 1 << lane, size, Access.ASYNC | Access.STRONG);
            if (size == 8) {
                long sum = change.of(join(staging[lane], staging[32 + lane]), join(value, values[first + 1]), 0);
                staging[lane] = (int) sum;
                staging[32 + lane] = (int) (sum >>> 32);
            } else {
                staging[lane] = change.of(staging[lane], value, 0);
            }
            global.store(warp, 1 << lane, size, Access.ASYNC | Access.STRONG);
        }
    }

    private static long join(int low, int high) {
        return low & 0xffffffffL | (long) high << 32;
    }

    /// Lets messages and the race detector see the instruction that issued the copy.
    private void asIssued(Runnable work) {
        int at = warp.at;
        warp.at = instruction;
        work.run();
        warp.at = at;
    }
}
