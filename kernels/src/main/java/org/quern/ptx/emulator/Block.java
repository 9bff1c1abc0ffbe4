package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.emulator.Options.Schedule;

/// A block of threads: its warps, barriers and shared memory. One object serves all blocks of a launch, in turn.
final class Block {
    /// Instructions after which the next warp may run, lest one that spins keeps the others from what it waits for.
    private static final int TURN = 20_000;

    /// Turns after which a starved warp gets one.
    private static final int CHARITY = 64;

    /// Polls of every warp, without any change, after which nothing will change.
    private static final int MOST_POLLS = 1000;

    final Execution execution;
    final SharedMemory shared;
    final Warp[] warps;
    /// Those that were ever used.
    private final Barrier[] barriers;
    final MBarriers mbarriers;
    final BulkCopies bulk;
    /// What its threads tell each other through shared memory.
    final Releases releases = new Releases();
    /// By warp: how often it waited in vain since anything made progress, and what for the last time.
    private final int[] polls;
    private final Object[] polled;
    /// By warpgroup.
    private final Products.Group[] products;
    private boolean polling;
    /// Index in the grid.
    int x;
    int y;
    int z;
    /// The least epoch of its warps.
    int firstEpoch;

    Block(Execution execution, SharedMemory shared) {
        this.execution = execution;
        this.shared = shared;
        warps = new Warp[execution.warps];
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i, execution.registers(this, i));
        }
        barriers = new Barrier[execution.options.device().barriers()];
        mbarriers = new MBarriers(this);
        bulk = new BulkCopies(this);
        polls = new int[warps.length];
        polled = new Object[warps.length];
        products = new Products.Group[(warps.length + 3) / 4];
        Arrays.setAll(products, _ -> new Products.Group());
    }

    /// A named barrier; null if there is none of this name.
    Barrier barrier(int id) {
        if (id < 0 || id >= barriers.length) {
            return null;
        }
        if (barriers[id] == null) {
            barriers[id] = new Barrier(id, warps.length, execution.actors);
        }
        return barriers[id];
    }

    /// The lanes of a warp that are threads.
    int lanes(int warp) {
        long threads = execution.block.count() - 32L * warp;
        return threads >= 32 ? -1 : (1 << threads) - 1;
    }

    /// `(x, y, z)` of a thread.
    String thread(int warp, int lane) {
        Dim block = execution.block;
        int thread = warp * 32 + lane;
        return "(%d, %d, %d)"
                .formatted(thread % block.x(), thread / block.x() % block.y(), thread / block.x() / block.y());
    }

    /// Runs a block from start to end.
    ///
    /// @param index of it in the grid, x first
    void run(long index, int firstEpoch, SplittableRandom random) {
        Dim grid = execution.grid;
        x = (int) (index % grid.x());
        y = (int) (index / grid.x() % grid.y());
        z = (int) (index / grid.x() / grid.y());
        this.firstEpoch = firstEpoch;
        shared.start();
        releases.clear();
        for (Products.Group group : products) {
            group.start(firstEpoch);
        }
        progressed();
        for (Barrier barrier : barriers) {
            if (barrier != null) {
                barrier.reset();
            }
        }
        for (Warp warp : warps) {
            execution.prepare(warp);
            warp.start(lanes(warp.index));
        }
        schedule(random);
        bulk.finish();
        mbarriers.clear();
    }

    private void schedule(SplittableRandom random) {
        Schedule schedule = execution.options.schedule();
        Warp starved = schedule == Schedule.ADVERSARIAL ? warps[random.nextInt(warps.length)] : null;
        int last = -1;
        for (int turn = 1; ; turn++) {
            Warp warp = null;
            int start = schedule == Schedule.ROUND_ROBIN ? last + 1 : random.nextInt(warps.length);
            boolean done = true;
            for (int i = 0; i < warps.length; i++) {
                Warp candidate = warps[(start + i) % warps.length];
                done &= candidate.isDone();
                if (!candidate.isDone() && candidate.isReady() && (warp == null || warp == starved)) {
                    warp = candidate;
                }
            }
            if (done) {
                return;
            }
            if (starved != null && turn % CHARITY == 0 && starved.isReady()) {
                warp = starved;
            }
            if (warp == null) {
                throw stuck();
            }
            last = warp.index;
            long quantum = switch (schedule) {
                case ROUND_ROBIN -> TURN;
                case RANDOM -> 1 + random.nextInt(1 << 1 + random.nextInt(8));
                case ADVERSARIAL -> warp == starved ? 1 : TURN;
            };
            execution.ran(warp, warp.run(quantum));
        }
    }

    /// What the warpgroup of a warp multiplies.
    Products.Group products(Warp warp) {
        return products[warp.index >> 2];
    }

    /// Something happened that others may wait for.
    void progressed() {
        if (polling) {
            Arrays.fill(polls, 0);
            polling = false;
        }
    }

    /// A warp waits in vain.
    ///
    /// @param what it waits for, for messages
    void polled(Warp warp, Object what) {
        polling = true;
        polled[warp.index] = what;
        if (++polls[warp.index] < MOST_POLLS) {
            return;
        }
        StringBuilder text = new StringBuilder();
        for (Warp other : warps) {
            if (!other.isDone() && other.isReady()) {
                if (polls[other.index] < MOST_POLLS) {
                    return;
                }
                text.append(text.isEmpty() ? "warp " : "; warp ")
                        .append(other.index)
                        .append(": ")
                        .append(other == warp ? "line " + execution.program.lines[warp.at] : other.describe())
                        .append(", for ")
                        .append(polled[other.index]);
            }
        }
        throw warp.fault(
                DEADLOCK,
                Integer.numberOfTrailingZeros(warp.active),
                "no thread of the block can go on, because threads wait for what nobody does: " + text);
    }

    private EmulatorFault stuck() {
        StringBuilder text = new StringBuilder();
        for (Warp warp : warps) {
            EmulatorFault divergence = warp.divergence();
            if (divergence != null) {
                return divergence;
            }
            text.append(text.isEmpty() ? "" : "; ")
                    .append("warp ")
                    .append(warp.index)
                    .append(": ")
                    .append(warp.describe());
        }
        Warp first = warps[0];
        for (Warp warp : warps) {
            if (!warp.isDone()) {
                first = warp;
                break;
            }
        }
        return first.fault(
                DEADLOCK,
                Integer.numberOfTrailingZeros(first.live),
                "no thread of the block can go on, because threads wait in a barrier that the others do not come to: "
                        + text);
    }

    /// The latest epoch of its warps.
    int lastEpoch() {
        int latest = firstEpoch;
        for (Warp warp : warps) {
            latest = Math.max(latest, warp.epoch);
        }
        for (Products.Group group : products) {
            latest = Math.max(latest, group.epoch());
        }
        return latest;
    }
}
