package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;

import java.util.Arrays;
import org.quern.gpu.Launch.Dim;

/// A block of threads: its warps, barriers and shared memory. One object serves all blocks of its rank in a
/// cluster, in turn.
final class Block {
    final Cluster cluster;
    /// In the cluster.
    final int rank;
    final Execution execution;
    final SharedMemory shared;
    final Warp[] warps;
    /// Those that were ever used.
    private final Barrier[] barriers;
    final MBarriers mbarriers;
    final BulkCopies bulk;
    final RegisterPool registers;
    /// What threads tell each other through its shared memory.
    final Releases releases = new Releases();
    /// By warpgroup.
    private final Products.Group[] products;
    /// By actor of another block, its latest access to the shared memory; 0 if there was none.
    private final long[] visits;
    /// Index in the grid.
    int x;
    int y;
    int z;

    Block(Cluster cluster, int rank, SharedMemory shared) {
        this.cluster = cluster;
        this.rank = rank;
        this.shared = shared;
        execution = cluster.execution;
        warps = new Warp[execution.warps];
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i, execution.registers(this, i));
        }
        barriers = new Barrier[execution.options.device().barriers()];
        mbarriers = new MBarriers(this);
        bulk = new BulkCopies(this);
        registers = new RegisterPool(this);
        products = new Products.Group[(warps.length + 3) / 4];
        Arrays.setAll(products, _ -> new Products.Group());
        visits = new long[execution.actors];
    }

    /// In the grid, x first.
    long index() {
        Dim grid = execution.grid;
        return x + (long) grid.x() * (y + (long) grid.y() * z);
    }

    /// The first of its actors, which are its warps and then its warpgroups.
    int firstActor() {
        return rank * execution.program.actors(execution.warps);
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

    /// `(x, y, z)` in the grid.
    @Override
    public String toString() {
        return "(%d, %d, %d)".formatted(x, y, z);
    }

    /// Begins the block of this rank of the cluster.
    void start() {
        Dim size = execution.cluster;
        x = cluster.x * size.x() + rank % size.x();
        y = cluster.y * size.y() + rank / size.x() % size.y();
        z = cluster.z * size.z() + rank / size.x() / size.y();
        shared.start();
        releases.clear();
        registers.start();
        Arrays.fill(visits, 0);
        for (Products.Group group : products) {
            group.start(cluster.firstEpoch);
        }
        for (Barrier barrier : barriers) {
            if (barrier != null) {
                barrier.reset();
            }
        }
        for (Warp warp : warps) {
            execution.prepare(warp);
            warp.start(lanes(warp.index));
        }
    }

    boolean isDone() {
        for (Warp warp : warps) {
            if (!warp.isDone()) {
                return false;
            }
        }
        return true;
    }

    /// All its threads have exited.
    ///
    /// @throws EmulatorFault if others may use its shared memory from now on, or none of its threads has waited
    ///     for launches that it may overtake
    void end() {
        bulk.finish();
        registers.finish();
        if (execution.unfinished.isPresent() && Arrays.stream(warps).noneMatch(warp -> warp.dependencies.areDone())) {
            throw warps[0].fault(
                    RACE,
                    0,
                    "the block of a programmatic launch ends without griddepcontrol.wait: %s"
                            .formatted("launches behind it would wait for it, but not for those before it"));
        }
        for (int actor = 0; actor < visits.length; actor++) {
            if (visits[actor] != 0 && !isKnown(visits[actor])) {
                throw warps[0].fault(
                        RACE,
                        0,
                        "the block ends, and nothing orders before that the access to its shared memory by %s at %s: %s"
                                .formatted(
                                        cluster.thread(visits[actor], null),
                                        execution.where(visits[actor]),
                                        "a barrier of the cluster is missing between them"));
            }
        }
    }

    private boolean isKnown(long visit) {
        for (Warp warp : warps) {
            if (Access.isCovered(visit, warp.clock)) {
                return true;
            }
        }
        return false;
    }

    /// Faults unless a lane of another block knows that this one has begun, and it is not over.
    void requirePresent(Warp warp, int lane) {
        boolean begun = false;
        for (Warp own : warps) {
            begun |= warp.clock[own.actor] >= cluster.firstEpoch;
        }
        if (!begun || isDone()) {
            throw warp.fault(
                    RACE,
                    lane,
                    begun
                            ? "accesses shared memory of block %s, all of whose threads have exited".formatted(this)
                            : "accesses shared memory of block %s, which need not have begun: a barrier of the cluster is missing"
                                    .formatted(this));
        }
    }

    /// A lane of another block accesses the shared memory.
    void visited(Warp warp, int lane) {
        visits[warp.actor] = Access.lane(warp.stamp(), lane);
    }

    /// What the warpgroup of a warp multiplies.
    Products.Group products(Warp warp) {
        return products[warp.index >> 2];
    }

    /// The latest epoch of its warps.
    int lastEpoch() {
        int latest = cluster.firstEpoch;
        for (Warp warp : warps) {
            latest = Math.max(latest, warp.epoch);
        }
        for (Products.Group group : products) {
            latest = Math.max(latest, group.epoch());
        }
        return latest;
    }
}
