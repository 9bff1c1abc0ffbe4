package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;

import java.util.Arrays;
import org.quern.ptx.emulator.Options.Copies;

/// The asynchronous copies of a warp's threads that nobody has waited for.
///
/// Each lane counts its own groups. What a copy reads is noted when it is issued; it is an error if the source is no
/// longer the same when the copy ends, because hardware may read at any time between.
final class AsyncCopies {
    /// What a poisoned word holds: a NaN as f32, and as two bf16.
    static final int POISON = 0x7fbf7fbf;

    /// The copies of one instruction.
    private static final class Copy {
        int instruction;
        int size;
        /// Lanes that have not waited.
        int lanes;
        boolean done;
        final int[] groups = new int[32];
        final int[] targets = new int[32];
        final long[] sources = new long[32];
        final int[] sourceBytes = new int[32];
        final int[] values = new int[128];
    }

    /// For [#issue]: a global address a lane, and how many bytes there are to read; what is left becomes zero.
    final long[] sources = new long[32];
    final int[] bytes = new int[32];

    private final Warp warp;
    /// Groups that a lane has committed.
    private final int[] committed = new int[32];
    private Copy[] copies = new Copy[16];
    private int count;

    AsyncCopies(Warp warp) {
        this.warp = warp;
    }

    void start() {
        Arrays.fill(committed, 0);
        count = 0;
    }

    /// Issues copies from [#sources] to the shared memory at [Warp#addresses].
    ///
    /// @param size bytes a lane
    void issue(int mask, int size) {
        if (count == copies.length) {
            copies = Arrays.copyOf(copies, 2 * count);
        }
        if (copies[count] == null) {
            copies[count] = new Copy();
        }
        Copy copy = copies[count++];
        copy.instruction = warp.at;
        copy.size = size;
        copy.lanes = mask;
        copy.done = false;
        SharedMemory shared = warp.block.shared;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            shared.beginCopy(warp, lane, size);
            copy.groups[lane] = committed[lane];
            copy.targets[lane] = (int) warp.addresses[lane];
            copy.sources[lane] = sources[lane];
            copy.sourceBytes[lane] = bytes[lane];
            for (int i = 0; i < size >> 2; i++) {
                shared.data[(copy.targets[lane] >> 2) + i] = POISON;
            }
        }
        read(copy, mask, true);
        Copies mode = warp.block.execution.options.copies();
        if (mode == Copies.EAGER || mode == Copies.RANDOM && warp.block.execution.random.nextBoolean()) {
            perform(copy, mask);
            copy.done = true;
        }
    }

    /// Reads the sources, to keep the values or to see whether they are still the same.
    private void read(Copy copy, int mask, boolean keep) {
        int[] staging = warp.staging;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int count = copy.sourceBytes[lane];
            for (int i = 0; i < copy.size >> 2; i++) {
                staging[i * 32 + lane] = 0;
            }
            if (count == copy.size) {
                warp.addresses[lane] = copy.sources[lane];
                warp.block.execution.global.load(warp, 1 << lane, count, 0);
            } else {
                readPart(copy.sources[lane], lane, count);
            }
            for (int i = lane; i < copy.size * 8; i += 32) {
                if (keep) {
                    copy.values[i] = staging[i];
                } else if (copy.values[i] != staging[i]) {
                    throw warp.fault(
                            ASYNC_COPY,
                            lane,
                            "global memory at %#x changed while %s may still have been reading it"
                                    .formatted(
                                            copy.sources[lane], warp.block.execution.program.where(copy.instruction)));
                }
            }
        }
    }

    private void readPart(long source, int lane, int count) {
        int[] words = new int[4];
        for (int i = 0; i < count; i++) {
            warp.addresses[lane] = source + i;
            warp.block.execution.global.load(warp, 1 << lane, 1, 0);
            words[i >> 2] |= warp.staging[lane] << 8 * (i & 3);
        }
        for (int i = 0; i < 4; i++) {
            warp.staging[i * 32 + lane] = words[i];
        }
    }

    private void perform(Copy copy, int mask) {
        int[] data = warp.block.shared.data;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            for (int i = 0; i < copy.size >> 2; i++) {
                data[(copy.targets[lane] >> 2) + i] = copy.values[i * 32 + lane];
            }
        }
    }

    /// Ends the current group of some lanes.
    void commit(int mask) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            committed[Integer.numberOfTrailingZeros(rest)]++;
        }
    }

    /// Waits until all groups of some lanes but the last `open` ones are complete.
    void await(int mask, int open) {
        finish(mask, open);
    }

    /// Waits for all copies of some lanes, committed or not.
    void awaitAll(int mask) {
        commit(mask);
        finish(mask, 0);
    }

    private void finish(int mask, int open) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            Copy copy = copies[i];
            int ending = 0;
            for (int rest = mask & copy.lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                if (copy.groups[lane] < committed[lane] - open) {
                    ending |= 1 << lane;
                }
            }
            if (ending != 0) {
                end(copy, ending);
            }
            if (copy.lanes != 0) {
                copies[i] = copies[kept];
                copies[kept++] = copy;
            }
        }
        count = kept;
    }

    private void end(Copy copy, int mask) {
        int at = warp.at;
        warp.at = copy.instruction;
        read(copy, mask, false);
        warp.at = at;
        if (!copy.done) {
            perform(copy, mask);
        }
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            warp.block.shared.endCopy(warp, lane, copy.targets[lane], copy.size, copy.instruction);
        }
        copy.lanes &= ~mask;
    }

    /// Faults if lanes that exit have copies that they did not wait for.
    void requireNone(int mask) {
        for (int i = 0; i < count; i++) {
            int lanes = copies[i].lanes & mask;
            if (lanes != 0) {
                throw warp.fault(
                        ASYNC_COPY,
                        Integer.numberOfTrailingZeros(lanes),
                        "exits without having waited for the copy of %s"
                                .formatted(warp.block.execution.program.where(copies[i].instruction)));
            }
        }
    }
}
