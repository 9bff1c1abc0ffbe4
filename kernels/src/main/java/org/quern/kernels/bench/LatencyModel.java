package org.quern.kernels.bench;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import org.quern.kernels.bench.LaunchTrace.Kind;
import org.quern.kernels.bench.LaunchTrace.Op;
import org.quern.kernels.bench.LaunchTrace.Step;

/// The clocks that a multiprocessor needs for what warps ran, if memory answers any number of requests, each
/// after the same time: less than the memory's own time, or the kernel keeps too little on its way.
///
/// Four schedulers issue an instruction a clock, of a warp whose registers are ready, in the order of the program; a
/// block begins when another has ended. Special functions, accesses and shuffles take their units' time. The
/// assembler's order of instructions, and its address arithmetic, are not known. Latencies but memory's:
/// arXiv:2402.13499, rounded.
final class LatencyModel {
    private static final int SCHEDULERS = 4;
    private static final int ARITHMETIC = 4;
    private static final int SPECIAL_FUNCTION = 18;
    /// Until a scheduler's unit takes the next.
    private static final int SPECIAL_FUNCTION_BUSY = 8;
    private static final int SHUFFLE = 24;
    private static final int SHARED_MEMORY = 30;
    private static final int FIRST_LEVEL = 38;
    private static final int SECOND_LEVEL = 270;
    private static final int BRANCH = 6;
    private static final int BARRIER = 10;
    /// Of the first-level cache, what is left beside shared memory, in sectors of 32 bytes.
    private static final int FIRST_LEVEL_SECTORS = 160 * 1024 / 32;

    private static final class Warp {
        final Block block;
        final List<Step> steps;
        /// By register: when it is there.
        final long[] ready;
        int at;
        long next;
        boolean waits;

        Warp(Block block, List<Step> steps, int registers, long now) {
            this.block = block;
            this.steps = steps;
            ready = new long[registers];
            next = now;
        }
    }

    private static final class Block {
        int live;
        final List<Warp> waiting = new ArrayList<>();
    }

    private final LaunchTrace launch;
    private final int memoryLatency;
    private final List<List<Warp>> schedulers = new ArrayList<>();
    private final long[] specialFree = new long[SCHEDULERS];
    private final Queue<List<List<Step>>> pending;
    private final Set<Long> read = new HashSet<>();
    private final Map<Long, Boolean> firstLevel = new LinkedHashMap<>(16, 0.75f, true);
    private long accessFree;
    private long now;
    private int resident;
    private int begun;

    private LatencyModel(LaunchTrace launch, int memoryLatency) {
        this.launch = launch;
        this.memoryLatency = memoryLatency;
        pending = new ArrayDeque<>(launch.blocks());
        for (int i = 0; i < SCHEDULERS; i++) {
            schedulers.add(new ArrayList<>());
        }
    }

    /// The clocks for all blocks of a launch.
    ///
    /// @param resident blocks that a multiprocessor holds at a time
    /// @param memoryLatency clocks
    static long clocks(LaunchTrace launch, int resident, int memoryLatency) {
        return new LatencyModel(launch, memoryLatency).run(resident);
    }

    private long run(int most) {
        while (true) {
            while (resident < most && !pending.isEmpty()) {
                begin(pending.remove());
            }
            if (resident == 0) {
                return now;
            }
            long soonest = Long.MAX_VALUE;
            for (int i = 0; i < SCHEDULERS; i++) {
                soonest = Math.min(soonest, issue(i));
            }
            if (soonest == Long.MAX_VALUE) {
                throw new IllegalStateException(launch.kernel() + ": all warps wait");
            }
            now = soonest;
        }
    }

    private void begin(List<List<Step>> steps) {
        Block block = new Block();
        block.live = steps.size();
        resident++;
        for (List<Step> own : steps) {
            schedulers.get(begun++ % SCHEDULERS).add(new Warp(block, own, launch.registers(), now));
        }
    }

    /// Lets the oldest warp that can issue do so.
    ///
    /// @return when something can happen again, later than now
    private long issue(int scheduler) {
        long soonest = Long.MAX_VALUE;
        Iterator<Warp> warps = schedulers.get(scheduler).iterator();
        while (warps.hasNext()) {
            Warp warp = warps.next();
            if (warp.waits) {
                continue;
            }
            long at = moves(warp);
            if (warp.at == warp.steps.size()) {
                warps.remove();
                end(warp.block);
                soonest = Math.min(soonest, now + 1);
                continue;
            }
            Op op = warp.steps.get(warp.at).op();
            at = Math.max(at, ready(warp, op));
            at = switch (op.kind()) {
                case SPECIAL_FUNCTION -> Math.max(at, specialFree[scheduler]);
                case SHUFFLE, SHARED_MEMORY, GLOBAL_MEMORY -> Math.max(at, accessFree);
                case MOVE, ARITHMETIC, BRANCH, BARRIER -> at;
            };
            if (at <= now) {
                execute(warp, scheduler);
                return now + 1;
            }
            soonest = Math.min(soonest, at);
        }
        return soonest;
    }

    /// Takes a warp past moves, which take no time.
    ///
    /// @return when it may issue
    private long moves(Warp warp) {
        while (warp.at < warp.steps.size()) {
            Op op = warp.steps.get(warp.at).op();
            if (op.kind() != Kind.MOVE) {
                break;
            }
            long ready = ready(warp, op);
            for (int register : op.writes()) {
                warp.ready[register] = ready;
            }
            warp.at++;
        }
        return warp.next;
    }

    private static long ready(Warp warp, Op op) {
        long ready = 0;
        for (int register : op.reads()) {
            ready = Math.max(ready, warp.ready[register]);
        }
        if (op.kind() != Kind.MOVE) {
            for (int register : op.writes()) {
                ready = Math.max(ready, warp.ready[register]);
            }
        }
        return ready;
    }

    private void execute(Warp warp, int scheduler) {
        Step step = warp.steps.get(warp.at++);
        Op op = step.op();
        warp.next = now + 1;
        long latency = ARITHMETIC;
        switch (op.kind()) {
            case MOVE, ARITHMETIC -> {}
            case BRANCH -> warp.next = now + BRANCH;
            case SPECIAL_FUNCTION -> {
                specialFree[scheduler] = now + SPECIAL_FUNCTION_BUSY;
                latency = SPECIAL_FUNCTION;
            }
            case SHUFFLE -> {
                accessFree = now + 1;
                latency = SHUFFLE;
            }
            case SHARED_MEMORY -> {
                accessFree = now + op.wavefronts();
                latency = SHARED_MEMORY;
            }
            case GLOBAL_MEMORY -> {
                accessFree = now + op.wavefronts();
                latency = access(step.sectors());
            }
            case BARRIER -> {
                warp.waits = true;
                warp.block.waiting.add(warp);
                releaseIfAllWait(warp.block);
            }
        }
        for (int register : op.writes()) {
            warp.ready[register] = now + latency;
        }
    }

    private long access(long[] sectors) {
        long latency = FIRST_LEVEL;
        for (long sector : sectors) {
            if (read.add(sector)) {
                latency = memoryLatency;
            } else if (!firstLevel.containsKey(sector)) {
                latency = Math.max(latency, SECOND_LEVEL);
            }
            firstLevel.put(sector, true);
            if (firstLevel.size() > FIRST_LEVEL_SECTORS) {
                firstLevel.remove(firstLevel.keySet().iterator().next());
            }
        }
        return latency;
    }

    private void end(Block block) {
        if (--block.live == 0) {
            resident--;
        } else {
            releaseIfAllWait(block);
        }
    }

    private void releaseIfAllWait(Block block) {
        if (block.waiting.size() == block.live) {
            for (Warp warp : block.waiting) {
                warp.waits = false;
                warp.next = now + BARRIER;
            }
            block.waiting.clear();
        }
    }
}
