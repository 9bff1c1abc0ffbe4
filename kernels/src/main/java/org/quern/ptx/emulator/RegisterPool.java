package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The registers of a block, which `setmaxnreg` hands from warp to warp; counts are of one thread of a warp.
///
/// All warps begin with the same number, and none is free. If the kernel does not say what that number is, the
/// assembler ignores `setmaxnreg`, and there are always enough. Warps that exit take theirs with them. The
/// warps of a warpgroup ask for the same, in the same order, if not by the same instruction: compilers let each
/// of them do it where it goes its own way.
final class RegisterPool {
    private final Block block;
    /// By warp.
    private final int[] held;
    private int free;
    /// By warpgroup, what its warps ask for in order.
    private final List<List<Request>> requests = new ArrayList<>();
    /// By warp, how many of them it has asked for.
    private final int[] asked;

    private record Request(boolean increases, int count, int instruction) {
        boolean isFor(boolean increases, int count) {
            return this.increases == increases && this.count == count;
        }
    }

    RegisterPool(Block block) {
        this.block = block;
        int warps = block.warps.length;
        held = new int[warps];
        asked = new int[warps];
        for (int i = 0; i < warps; i += 4) {
            requests.add(new ArrayList<>());
        }
    }

    /// Begins a block.
    void start() {
        Arrays.fill(held, block.execution.program.registersAtStart);
        Arrays.fill(asked, 0);
        requests.forEach(List::clear);
        free = 0;
    }

    /// Lets a warp have so many registers from now on.
    ///
    /// @return false if others must give back some first
    boolean set(Warp warp, boolean increases, int count) {
        List<Request> order = requests.get(warp.index >> 2);
        int next = asked[warp.index];
        if (next == order.size()) {
            order.add(new Request(increases, count, warp.at));
        } else if (!order.get(next).isFor(increases, count)) {
            throw warp.fault(
                    DIVERGED,
                    0,
                    "all warps of a warpgroup must execute the same setmaxnreg, but another one executed %s"
                            .formatted(where(order.get(next))));
        }
        int more = count - held[warp.index];
        if (held[warp.index] > 0) {
            if (!increases && more > 0) {
                throw warp.fault(
                        TRAP,
                        0,
                        "gives back registers to keep %d, but the warp has %d".formatted(count, held[warp.index]));
            }
            if (increases && more > free) {
                block.cluster.polled(
                        warp,
                        "%d registers a thread more than its %d, of which other warps have given back %d"
                                .formatted(more, held[warp.index], free));
                return false;
            }
            if (increases == more > 0) {
                free -= more;
                held[warp.index] = count;
            }
        }
        asked[warp.index]++;
        block.cluster.progressed();
        return true;
    }

    /// The block has ended.
    ///
    /// @throws EmulatorFault if a warp did not execute what others of its warpgroup did
    void finish() {
        for (int i = 0; i < asked.length; i++) {
            List<Request> order = requests.get(i >> 2);
            if (asked[i] < order.size()) {
                throw block.warps[i].fault(
                        DIVERGED,
                        0,
                        "the warp ends without %s, which another warp of its warpgroup executed"
                                .formatted(where(order.get(asked[i]))));
            }
        }
    }

    private String where(Request request) {
        return block.execution.program.where(request.instruction);
    }
}
