package org.quern.ptx.emulator;

import java.util.SplittableRandom;
import org.quern.ptx.emulator.Options.Blocks;

/// The order in which the blocks of a grid run.
final class BlockOrder {
    private final Blocks order;
    private final long blocks;
    private final long stride;
    private final long start;

    BlockOrder(Blocks order, long blocks, SplittableRandom random) {
        this.order = order;
        this.blocks = blocks;
        start = random.nextLong(blocks);
        long step = 1 + random.nextLong(blocks);
        while (gcd(step, blocks) != 1) {
            step++;
        }
        stride = step % blocks;
    }

    private static long gcd(long a, long b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    /// The block whose turn it is.
    long at(long turn) {
        return switch (order) {
            case ASCENDING -> turn;
            case DESCENDING -> blocks - 1 - turn;
            case SHUFFLED -> (start + turn * stride) % blocks;
        };
    }
}
