package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;

import java.util.Arrays;
import java.util.NavigableMap;

/// 32 threads that share a program counter while they agree.
///
/// Lanes that disagree are fragments, each with a program counter of its own. The one that is furthest behind runs
/// first, and fragments that meet become one, as compilers arrange it on hardware; one that spins gives way to the
/// others now and then.
public final class Warp {
    /// Why a fragment does not run.
    private static final int READY = 0;
    /// It is at an instruction that needs the other lanes; tried again when some of them arrive or exit.
    private static final int NEEDS_LANES = 1;
    /// It is in a barrier of the block.
    private static final int AT_BARRIER = 2;
    /// It found a condition false that others make true, and runs again in the warp's next turn.
    private static final int POLLING = 3;

    /// Instructions after which a fragment that is behind lets another run.
    private static final int PATIENCE = 1024;

    final Block block;
    /// In the block, and in the cluster.
    final int index;
    final int actor;
    final Registers registers;
    final AsyncCopies copies;
    final Products products;
    final LocalMemory local;
    final Dependencies dependencies;

    /// For operations on memory: an address a lane, and up to four words a lane.
    final long[] addresses = new long[32];
    final int[] staging = new int[128];
    /// For operations on mbarriers, one a lane.
    final MBarrier[] barriers = new MBarrier[32];

    /// Vector clock: the epochs of the cluster's actors that happened before now.
    final int[] clock;
    /// This warp's time.
    int epoch;
    /// The epoch in which its lanes synchronised last: for all of them, what this warp did before it happened before
    /// now.
    int together;
    /// All epochs up to it, of whatever warp, happened before now.
    int horizon;
    /// [#horizon] as an entry.
    long limit;
    /// As [#clock], what the asynchronous proxy sees.
    final Proxied proxied;
    /// As [#clock], of mbarriers alone: what was initialised before a `fence.mbarrier_init`.
    final int[] initialised;
    /// What was known at the last fence; null if there was none.
    Known fenced;
    /// What relaxed reads saw, to be acquired by the next fence; by the first epoch of the cluster that released.
    NavigableMap<Integer, Known> seen;
    /// What happened before now in other clusters.
    NavigableMap<Integer, Known> acquired;

    /// The instruction that runs, and the one after it unless it jumps.
    int at;
    int next;
    /// The lanes that run.
    int active;
    /// The lanes that have not exited.
    int live;
    /// Why the current fragment cannot go on after this instruction.
    private int waiting;

    private final int[] places = new int[32];
    private final int[] masks = new int[32];
    private final int[] states = new int[32];
    private int fragments;
    /// The fragment that runs; its place and mask are in [#next] and [#active].
    private int current;
    /// Where the current fragment must look for others.
    private int meeting;
    private int impatience;

    Warp(Block block, int index, Registers registers) {
        this.block = block;
        this.index = index;
        actor = block.firstActor() + index;
        this.registers = registers;
        clock = new int[block.execution.actors];
        proxied = new Proxied(block.execution.actors);
        initialised = new int[block.execution.actors];
        copies = new AsyncCopies(this);
        products = new Products(this, registers.wordsDefined.length);
        local = new LocalMemory(block.execution.program.localBytes);
        dependencies = new Dependencies(this);
    }

    /// Begins a block.
    ///
    /// @param lanes that exist
    void start(int lanes) {
        live = lanes;
        fragments = 1;
        places[0] = 0;
        masks[0] = lanes;
        states[0] = READY;
        current = -1;
        impatience = 0;
        int before = block.cluster.firstEpoch - 1;
        Arrays.fill(clock, before);
        proxied.fill(before);
        Arrays.fill(initialised, before);
        epoch = block.cluster.firstEpoch + 1;
        clock[actor] = epoch;
        together = epoch;
        fenced = null;
        seen = null;
        acquired = null;
        copies.start();
        products.start();
        local.start();
        dependencies.start();
        clockChanged();
    }

    /// Derives what depends on [#clock].
    void clockChanged() {
        epoch = clock[actor];
        int least = together - 1;
        for (int i = 0; i < clock.length; i++) {
            if (i != actor) {
                least = Math.min(least, clock[i]);
            }
        }
        horizon = least;
        limit = Access.limit(horizon + 1);
    }

    /// Later accesses are not covered by what has been told to others so far.
    void advance() {
        clock[actor]++;
        clockChanged();
    }

    /// Lets the asynchronous proxy see what the warp did by now, and what it knows that others did.
    ///
    /// @param shared whether in shared memory
    /// @param global whether in global memory
    void fenceProxy(boolean shared, boolean global) {
        if (shared) {
            System.arraycopy(clock, 0, proxied.shared, 0, clock.length);
        }
        if (global) {
            System.arraycopy(clock, 0, proxied.global, 0, clock.length);
            acquired = Known.fenced(acquired);
        }
        advance();
    }

    /// Lets those know what mbarriers the warp initialised by now who learn that it has arrived at the cluster's
    /// barrier.
    void fenceInitialisations() {
        initialised[actor] = epoch;
        advance();
    }

    /// The lanes have synchronised.
    void meet() {
        clock[actor]++;
        together = clock[actor];
        clockChanged();
    }

    /// The lanes have synchronised as they were in an earlier epoch.
    void metAt(int then) {
        if (then >= together) {
            together = then + 1;
            clockChanged();
        }
    }

    /// Adds what is known in another clock.
    void join(int[] other) {
        Access.join(clock, other);
        clockChanged();
    }

    long stamp() {
        return Access.stamp(epoch, at, actor);
    }

    boolean hasAcquired(long access) {
        if (acquired == null) {
            return false;
        }
        var entry = acquired.floorEntry(Access.epoch(access));
        return entry != null && Access.isCovered(access, entry.getValue().clock());
    }

    /// Whether the asynchronous proxy sees a write to global memory that happened before now.
    boolean isProxied(long write) {
        return Access.isCovered(
                write,
                Access.epoch(write) >= block.cluster.firstEpoch
                        ? proxied.global
                        : acquired.floorEntry(Access.epoch(write)).getValue().proxied().global);
    }

    boolean isDone() {
        return live == 0;
    }

    boolean isReady() {
        for (int i = 0; i < fragments; i++) {
            if (states[i] == READY || states[i] == POLLING) {
                return true;
            }
        }
        return false;
    }

    /// Runs until nothing more can, or for a number of instructions.
    ///
    /// @return the instructions run
    long run(long quantum) {
        Program program = block.execution.program;
        Operation[] operations = program.operations;
        int[] guards = program.guards;
        int[] flips = program.flips;
        long[] counts = block.execution.counts;
        long[] lanes = block.execution.lanes;
        Trace trace = block.execution.trace;
        long left = quantum;
        current = -1;
        for (int i = 0; i < fragments; i++) {
            states[i] = states[i] == POLLING ? READY : states[i];
        }
        if (!choose()) {
            return 0;
        }
        while (left > 0) {
            if (next >= meeting && !choose()) {
                return quantum - left;
            }
            at = next;
            next = at + 1;
            int mask = active;
            int guard = guards[at];
            if (guard != 0) {
                registers.requirePredicate(this, guard, mask);
                mask &= registers.predicates[guard] ^ flips[at];
            }
            left--;
            counts[at]++;
            if (mask != 0) {
                lanes[at] += Integer.bitCount(mask);
                waiting = READY;
                operations[at].execute(this, mask);
                if (trace != null && waiting != NEEDS_LANES && next != at) {
                    trace.ran(block.index(), index, program.instructions[at], mask, addresses);
                }
                if (waiting != READY || active == 0) {
                    suspend();
                    if (!choose()) {
                        return quantum - left;
                    }
                }
            }
        }
        save();
        return quantum;
    }

    private void save() {
        places[current] = next;
        masks[current] = active;
        states[current] = READY;
        current = -1;
    }

    private void suspend() {
        if (active == 0) {
            remove(current);
        } else {
            places[current] = waiting == NEEDS_LANES ? at : next;
            masks[current] = active;
            states[current] = waiting;
        }
        current = -1;
    }

    private void remove(int fragment) {
        fragments--;
        places[fragment] = places[fragments];
        masks[fragment] = masks[fragments];
        states[fragment] = states[fragments];
    }

    /// Merges fragments that meet, and lets the one that is furthest behind run.
    ///
    /// @return whether one can
    private boolean choose() {
        if (current >= 0) {
            impatience += fragments > 1 ? 1 : 0;
            save();
        }
        for (int i = 0; i < fragments; i++) {
            for (int j = fragments - 1; j > i; j--) {
                if (places[i] == places[j] && states[i] != AT_BARRIER && states[j] != AT_BARRIER) {
                    masks[i] |= masks[j];
                    states[i] = READY;
                    remove(j);
                }
            }
        }
        int best = -1;
        for (int i = 0; i < fragments; i++) {
            if (states[i] == READY && (best < 0 || places[i] < places[best])) {
                best = i;
            }
        }
        if (best < 0) {
            checkStuck();
            return false;
        }
        if (impatience > PATIENCE) {
            impatience = 0;
            for (int i = 1; i < fragments; i++) {
                int other = (best + i) % fragments;
                if (states[other] == READY) {
                    best = other;
                    break;
                }
            }
        }
        current = best;
        next = places[best];
        active = masks[best];
        meeting = Integer.MAX_VALUE;
        for (int i = 0; i < fragments; i++) {
            if (i != best && states[i] != AT_BARRIER && places[i] > next) {
                meeting = Math.min(meeting, places[i]);
            }
        }
        return true;
    }

    /// Faults if lanes wait for lanes that never come.
    private void checkStuck() {
        int stuck = -1;
        for (int i = 0; i < fragments; i++) {
            if (states[i] == AT_BARRIER || states[i] == POLLING) {
                return;
            }
            if (stuck < 0 || places[i] < places[stuck]) {
                stuck = i;
            }
        }
        if (stuck >= 0) {
            throw divergence(stuck);
        }
    }

    /// The fault of a fragment that waits for lanes of its warp; null if there is none.
    EmulatorFault divergence() {
        for (int i = 0; i < fragments; i++) {
            if (states[i] == NEEDS_LANES) {
                return divergence(i);
            }
        }
        return null;
    }

    private EmulatorFault divergence(int fragment) {
        at = places[fragment];
        return fault(
                DIVERGED,
                Integer.numberOfTrailingZeros(masks[fragment]),
                "%s waits for lanes of the warp that do not come: %s"
                        .formatted(block.execution.program.instructions[at].mnemonic(), describe()));
    }

    /// Where each lane is.
    String describe() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < fragments; i++) {
            text.append(text.isEmpty() ? "" : ", ")
                    .append(lanes(masks[i]))
                    .append(states[i] == AT_BARRIER ? " in the barrier of line " : " at line ")
                    .append(block.execution.program.lines[places[i] - (states[i] == AT_BARRIER ? 1 : 0)]);
        }
        int gone = ~live & block.lanes(index);
        if (gone != 0) {
            text.append(text.isEmpty() ? "" : ", ").append(lanes(gone)).append(" exited");
        }
        return text.toString();
    }

    /// `lanes 0-15, 31`.
    static String lanes(int mask) {
        if (mask == -1) {
            return "all lanes";
        }
        StringBuilder text = new StringBuilder(Integer.bitCount(mask) == 1 ? "lane " : "lanes ");
        String separator = "";
        for (int lane = 0; lane < 32; lane++) {
            if ((mask >>> lane & 1) != 0) {
                int last = lane;
                while (last < 31 && (mask >>> last + 1 & 1) != 0) {
                    last++;
                }
                text.append(separator).append(lane).append(last > lane ? "-" + last : "");
                separator = ", ";
                lane = last;
            }
        }
        return text.toString();
    }

    /// Continues elsewhere.
    ///
    /// @param lanes that jump; the others go on after the instruction
    void jump(int lanes, int target) {
        if (lanes == active) {
            next = target;
            meeting = fragments > 1 ? 0 : meeting;
        } else {
            leave(lanes, target, READY);
        }
    }

    /// Ends lanes.
    void exit(int mask) {
        copies.requireNone(mask);
        block.bulk.requireRead(this, mask);
        products.requireNone();
        live &= ~mask;
        active &= ~mask;
        for (int i = 0; i < fragments; i++) {
            if (i != current && states[i] == NEEDS_LANES) {
                states[i] = READY;
                meeting = 0;
            }
        }
        block.cluster.barrier.exited();
    }

    /// For an operation that all lanes that have not exited execute together: whether they are here. If not, they
    /// wait for the others, and the operation does nothing now.
    boolean isWhole(int mask) {
        if (mask == live) {
            return true;
        }
        if (mask != active) {
            int missing = active & ~mask;
            throw fault(
                    DIVERGED,
                    Integer.numberOfTrailingZeros(missing),
                    "%s must be executed by the whole warp, but its guard leaves out %s"
                            .formatted(instruction().mnemonic(), lanes(missing)));
        }
        await();
        return false;
    }

    /// Lets lanes wait at the current instruction, to try it again when other lanes arrive.
    void awaitLanes(int lanes) {
        if (lanes == active) {
            await();
        } else {
            leave(lanes, at, NEEDS_LANES);
            block.execution.lanes[at] -= Integer.bitCount(lanes);
        }
    }

    private void await() {
        waiting = NEEDS_LANES;
        block.execution.counts[at]--;
        block.execution.lanes[at] -= Integer.bitCount(active);
    }

    /// Lets the lanes that run go on in the warp's next turn, as what they asked for depends on other warps.
    void poll() {
        waiting = POLLING;
    }

    /// As [#poll], with the current instruction tried again.
    void pollAgain() {
        next = at;
        waiting = POLLING;
        block.execution.counts[at]--;
        block.execution.lanes[at] -= Integer.bitCount(active);
    }

    /// Lets lanes wait in a barrier; the others go on.
    void awaitBarrier(int lanes) {
        if (lanes == active) {
            waiting = AT_BARRIER;
        } else {
            leave(lanes, next, AT_BARRIER);
        }
    }

    /// Makes some of the lanes that run a fragment of their own.
    private void leave(int lanes, int place, int state) {
        places[fragments] = place;
        masks[fragments] = lanes;
        states[fragments] = state;
        fragments++;
        active &= ~lanes;
        meeting = 0;
    }

    /// Ends the wait of lanes in a barrier.
    void release(int mask) {
        for (int i = 0; i < fragments; i++) {
            if (i != current && states[i] == AT_BARRIER && (masks[i] & mask) != 0) {
                states[i] = READY;
                meeting = 0;
            }
        }
    }

    private org.quern.ptx.syntax.Statement.Instruction instruction() {
        return block.execution.program.instructions[at];
    }

    /// The error for a broken rule at the current instruction, with line, block, warp and thread added.
    ///
    /// @param lane to blame
    /// @param rule a sentence: what was done and what is allowed
    EmulatorFault fault(EmulatorFault.Kind kind, int lane, String rule) {
        return block.execution.fault(kind, this, lane, rule);
    }

    /// `thread (3, 0, 0)`, by an entry of this cluster.
    String otherThread(long access) {
        return block.cluster.thread(access, this);
    }
}
