package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;

import java.util.ArrayList;
import java.util.List;
import org.quern.ptx.emulator.Options.Copies;

/// The bulk copies of a block that nobody has waited for.
///
/// Those to shared memory end a phase of an mbarrier: whoever finds it complete has waited. Those to global
/// memory are waited for by the thread that issued them, first that they have read shared memory, then that
/// they are done.
final class BulkCopies {
    private final Block block;
    private final List<BulkCopy> pending = new ArrayList<>();
    /// Groups that each lane of each warp has committed.
    private final int[][] committed;

    BulkCopies(Block block) {
        this.block = block;
        committed = new int[block.execution.warps][32];
    }

    private boolean now() {
        Copies mode = block.execution.options.copies();
        return mode == Copies.EAGER || mode == Copies.RANDOM && block.execution.random.nextBoolean();
    }

    /// Starts a copy to shared memory by a warp of the cluster.
    void load(Warp warp, int lane, Chunks chunks, MBarrier barrier) {
        for (int address : chunks.shared()) {
            block.shared.beginBulkWrite(warp, lane, address);
        }
        BulkCopy copy = new BulkCopy(warp, lane, chunks, null, barrier, 0);
        pending.add(copy);
        if (now()) {
            land(copy, warp, lane);
        }
    }

    private void land(BulkCopy copy, Warp waiter, int lane) {
        copy.read();
        copy.write();
        copy.barrier.landed(copy);
        copy.barrier.copied(waiter, lane, copy.bytes());
    }

    /// Somebody waits for a phase that only copies keep open.
    void awaited(MBarrier barrier, Warp waiter, int lane) {
        for (int i = 0; i < pending.size(); i++) {
            BulkCopy copy = pending.get(i);
            if (copy.barrier == barrier
                    && !copy.hasWritten()
                    && (block.execution.options.copies() != Copies.RANDOM || block.execution.random.nextBoolean())) {
                land(copy, waiter, lane);
            }
        }
    }

    /// Lanes of a warp have found the phase complete that a copy belongs to: it is as if they had written.
    void observed(BulkCopy copy, Warp warp, int lane) {
        for (int address : copy.chunks.shared()) {
            block.shared.endBulkWrite(warp, lane, address, copy.instruction);
        }
        copy.observed(warp, lane);
        pending.remove(copy);
    }

    /// Starts a copy from shared memory.
    ///
    /// @param change what becomes of the target; null if it is replaced
    void store(Warp warp, int lane, Chunks chunks, Combination change) {
        for (int address : chunks.shared()) {
            block.shared.requireReadable(warp, lane, address, Chunks.BYTES, 0);
            block.shared.hold(address, Chunks.BYTES, warp.at);
        }
        BulkCopy copy = new BulkCopy(warp, lane, chunks, change, null, committed[warp.index][lane]);
        pending.add(copy);
        if (now()) {
            copy.read();
            copy.write();
        }
    }

    void commit(Warp warp, int mask) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            committed[warp.index][Integer.numberOfTrailingZeros(rest)]++;
        }
    }

    /// Waits until of all groups of some lanes but the last `open` ones shared memory is read, and unless
    /// `reads` also global memory written.
    void await(Warp warp, int mask, int open, boolean reads) {
        for (int i = 0; i < pending.size(); i++) {
            BulkCopy copy = pending.get(i);
            boolean waits = copy.barrier == null
                    && copy.warp == warp
                    && (mask >>> copy.lane & 1) != 0
                    && copy.group < committed[warp.index][copy.lane] - open;
            if (!waits) {
                continue;
            }
            end(copy, reads);
            if (!reads) {
                pending.remove(i--);
            }
        }
    }

    private void end(BulkCopy copy, boolean reads) {
        if (!copy.hasRead()) {
            copy.read();
        }
        if (!copy.isReleased()) {
            for (int address : copy.chunks.shared()) {
                block.shared.endRead(copy.warp, copy.lane, address, Chunks.BYTES, copy.instruction);
            }
            copy.release();
        }
        if (!reads && !copy.hasWritten()) {
            copy.write();
        }
    }

    /// Faults if lanes that exit have copies which may still read shared memory.
    void requireRead(Warp warp, int mask) {
        for (BulkCopy copy : pending) {
            if (copy.barrier == null && copy.warp == warp && (mask >>> copy.lane & 1) != 0 && !copy.isReleased()) {
                throw unfinished(copy, "exits without having waited for the copy of");
            }
        }
    }

    /// The block has ended.
    ///
    /// @throws EmulatorFault if something still writes to its shared memory
    void finish() {
        for (BulkCopy copy : pending) {
            if (copy.barrier != null) {
                throw unfinished(copy, "the block ends, and nobody has waited for the copy of");
            }
            end(copy, false);
        }
        pending.clear();
        for (int[] groups : committed) {
            java.util.Arrays.fill(groups, 0);
        }
    }

    private EmulatorFault unfinished(BulkCopy copy, String what) {
        return copy.warp.fault(ASYNC_COPY, copy.lane, what + " " + block.execution.program.where(copy.instruction));
    }
}
