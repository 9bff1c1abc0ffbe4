package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.emulator.Options.Schedule;

/// Blocks that run together and may reach each other's shared memory; one block where a launch has no clusters. One
/// object serves all clusters of a launch, in turn.
final class Cluster {
    /// Instructions after which the next warp may run, lest one that spins keeps the others from what it waits for.
    private static final int TURN = 20_000;

    /// Turns after which a starved warp gets one.
    private static final int CHARITY = 64;

    /// Polls of every warp, without any change, after which nothing will change.
    private static final int MOST_POLLS = 1000;

    /// Where an address of `.shared::cluster` has 1 more than the rank of its block, or 0 for the block of who uses
    /// it.
    private static final int RANK_SHIFT = 24;

    final Execution execution;
    /// By rank.
    final Block[] blocks;
    /// Of all blocks, in the order of their actors.
    final Warp[] warps;
    final ClusterBarrier barrier;
    /// By actor: how often it waited in vain since anything made progress, and what for the last time.
    private final int[] polls;
    private final Object[] polled;
    private boolean polling;
    /// Index in the grid of clusters.
    int x;
    int y;
    int z;
    /// Below all epochs of its warps: who knows it of a warp knows that the warp's block has begun.
    int firstEpoch;

    /// @param shared by rank
    Cluster(Execution execution, SharedMemory[] shared) {
        this.execution = execution;
        blocks = new Block[shared.length];
        warps = new Warp[shared.length * execution.warps];
        for (int rank = 0; rank < blocks.length; rank++) {
            blocks[rank] = new Block(this, rank, shared[rank]);
            System.arraycopy(blocks[rank].warps, 0, warps, rank * execution.warps, execution.warps);
        }
        barrier = new ClusterBarrier(this);
        polls = new int[execution.actors];
        polled = new Object[execution.actors];
    }

    /// Runs from start to end.
    ///
    /// @param index in the grid of clusters, x first
    void run(long index, int firstEpoch, SplittableRandom random) {
        Dim clusters = execution.clusters();
        x = (int) (index % clusters.x());
        y = (int) (index / clusters.x() % clusters.y());
        z = (int) (index / clusters.x() / clusters.y());
        this.firstEpoch = firstEpoch;
        progressed();
        barrier.reset();
        for (Block block : blocks) {
            block.start();
        }
        schedule(random);
        for (Block block : blocks) {
            block.mbarriers.clear();
        }
    }

    private void schedule(SplittableRandom random) {
        Schedule schedule = execution.options.schedule();
        Warp starved = schedule == Schedule.ADVERSARIAL ? warps[random.nextInt(warps.length)] : null;
        int last = -1;
        for (int turn = 1; ; turn++) {
            int chosen = -1;
            int start = schedule == Schedule.ROUND_ROBIN ? last + 1 : random.nextInt(warps.length);
            boolean done = true;
            for (int i = 0; i < warps.length; i++) {
                int at = (start + i) % warps.length;
                Warp candidate = warps[at];
                done &= candidate.isDone();
                if (!candidate.isDone() && candidate.isReady() && (chosen < 0 || warps[chosen] == starved)) {
                    chosen = at;
                }
            }
            if (done) {
                return;
            }
            if (chosen < 0) {
                throw stuck();
            }
            Warp warp = starved != null && turn % CHARITY == 0 && starved.isReady() ? starved : warps[chosen];
            last = chosen;
            long quantum = switch (schedule) {
                case ROUND_ROBIN -> TURN;
                case RANDOM -> 1 + random.nextInt(1 << 1 + random.nextInt(8));
                case ADVERSARIAL -> warp == starved ? 1 : TURN;
            };
            execution.ran(warp, warp.run(quantum));
            if (warp.isDone() && warp.block.isDone()) {
                warp.block.end();
            }
        }
    }

    /// The block whose shared memory an address of `.shared::cluster` is in; [Warp#addresses] has its address there
    /// from now on.
    ///
    /// @throws EmulatorFault if there is no such block, or it has not begun or is over
    Block reach(Warp warp, int lane) {
        Block block = owner(warp, lane);
        if (block != warp.block) {
            block.visited(warp, lane);
        }
        return block;
    }

    /// As [#reach], where the block learns by itself when the access is over.
    Block owner(Warp warp, int lane) {
        long address = warp.addresses[lane];
        int rank = rank(warp, address);
        if (rank < 0 || rank >= blocks.length) {
            throw warp.fault(
                    OUT_OF_BOUNDS,
                    lane,
                    "shared memory of the cluster at %#x, which is in none of its %d blocks"
                            .formatted(address, blocks.length));
        }
        Block block = blocks[rank];
        if (block != warp.block) {
            block.requirePresent(warp, lane);
        }
        warp.addresses[lane] = address & (1L << RANK_SHIFT) - 1;
        return block;
    }

    /// Whether an address is one of `mapa`.
    static boolean isMapped(long address) {
        return address >>> RANK_SHIFT != 0;
    }

    /// The rank of the block that an address of `.shared::cluster` is in, as a warp uses it; there may be no such
    /// block.
    static int rank(Warp warp, long address) {
        int tag = (int) Math.min(address >>> RANK_SHIFT, Integer.MAX_VALUE);
        return tag == 0 ? warp.block.rank : tag - 1;
    }

    /// The address of `.shared::cluster` of what a block has at the same place as an address.
    static long map(long address, int rank) {
        return address & (1L << RANK_SHIFT) - 1 | (long) (rank + 1) << RANK_SHIFT;
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
        polled[warp.actor] = what;
        if (++polls[warp.actor] < MOST_POLLS) {
            return;
        }
        StringBuilder text = new StringBuilder();
        for (Warp other : warps) {
            if (!other.isDone() && other.isReady()) {
                if (polls[other.actor] < MOST_POLLS) {
                    return;
                }
                text.append(text.isEmpty() ? "" : "; ")
                        .append(name(other))
                        .append(": ")
                        .append(other == warp ? "line " + execution.program.lines[warp.at] : other.describe())
                        .append(", for ")
                        .append(polled[other.actor]);
            }
        }
        throw warp.fault(
                DEADLOCK,
                Integer.numberOfTrailingZeros(warp.active),
                "no thread of the %s can go on, because threads wait for what nobody does: %s".formatted(unit(), text));
    }

    private EmulatorFault stuck() {
        StringBuilder text = new StringBuilder();
        for (Warp warp : warps) {
            EmulatorFault divergence = warp.divergence();
            if (divergence != null) {
                return divergence;
            }
            text.append(text.isEmpty() ? "" : "; ")
                    .append(name(warp))
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
                "no thread of the %s can go on, because threads wait in a barrier that the others do not come to: %s"
                        .formatted(unit(), text));
    }

    private String unit() {
        return blocks.length == 1 ? "block" : "cluster";
    }

    private String name(Warp warp) {
        return blocks.length == 1 ? "warp " + warp.index : "block %s, warp %d".formatted(warp.block, warp.index);
    }

    /// `thread (3, 0, 0)`, by an entry of this cluster.
    ///
    /// @param asker whose own warp and block are not named; null if they are nobody's
    String thread(long access, Warp asker) {
        if (Access.has(access, Access.SEVERAL_WARPS)) {
            return "threads of several warps";
        }
        int actors = execution.actors / blocks.length;
        Block block = blocks[Access.warp(access) / actors];
        int index = Access.warp(access) % actors;
        String where = asker != null && block == asker.block ? "" : " of block " + block;
        if (index >= execution.warps) {
            return "a product of warpgroup %d%s".formatted(index - execution.warps, where);
        }
        String warp = asker != null && block.warps[index] == asker ? "" : "warp %d, ".formatted(index);
        String thread = warp + "thread " + block.thread(index, Access.lane(access)) + where;
        return Access.has(access, Access.SEVERAL_LANES) ? thread + " and others" : thread;
    }

    /// The latest epoch of its warps.
    int lastEpoch() {
        int latest = firstEpoch;
        for (Block block : blocks) {
            latest = Math.max(latest, block.lastEpoch());
        }
        return latest;
    }
}
