package org.quern.kernels.bench;

import java.util.HashMap;
import java.util.Map;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.ExampleDevices;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.kernels.cuda.FusedAttentionGradient.Plan;
import org.quern.ptx.emulator.Options;

/// What the fused gradient of attention does, from what the emulator counts of short sequences.
///
/// A head of keys whose queries are n tiles costs fixed + n x row + n (n + 1) / 2 x pair, and as often as a tile
/// of keys is seen by one more chunk of queries, once more for that: dK and dV wait in memory, and K and V are read
/// again.
final class FusedCounts {
    /// Rows of a tile.
    private static final int ROWS = 128;

    private static final DeviceProperties DEVICE = ExampleDevices.of("sm_90").orElseThrow();

    private final Map<String, KernelCounts> counted = new HashMap<>();

    /// The time that each part of an H100 needs.
    ///
    /// @param bytes that must move through the device's memory anyway
    Map<String, Double> seconds(Shape shape, double bytes) {
        DeviceRates rates = DeviceRates.H100;
        long items = (long) shape.sequences() * shape.keyValueHeads();
        long places = Math.ceilDiv(items, (long) rates.multiprocessors()) * rates.multiprocessors();
        Plan plan = Plan.of(DEVICE, shape);
        double waiting = items * again(shape, plan) * 2.0 * 2 * ROWS * shape.headDim() * Float.BYTES;
        return counts(shape, plan)
                .modelledSeconds(rates, bytes + waiting + missed(shape, plan), (double) items / places);
    }

    /// Bytes of Q and dOut, read, and of sums of dQ, read and written, that the L2 cache does not hold until the next
    /// tile of keys needs them: what is beyond its size, as queries pass forward and backward in turns.
    private static double missed(Shape shape, Plan plan) {
        long tiles = Math.ceilDiv(shape.length(), ROWS);
        double pairs = tiles * (tiles + 1) / 2.0 * shape.sequences() * shape.heads();
        double tile = 8.0 * ROWS * shape.headDim();
        boolean all = plan.chunk() >= shape.length();
        double passing = all ? (tiles + 1) / 2.0 : plan.chunk() / (double) ROWS;
        double held = plan.blocks() * passing * shape.heads() / shape.keyValueHeads() * tile;
        return pairs * 1.5 * tile * Math.max(0, 1 - DEVICE.l2Bytes() / held);
    }

    KernelCounts counts(Shape shape, Plan plan) {
        KernelCounts one = tiles(shape, 1, ROWS);
        KernelCounts two = tiles(shape, 2, 2 * ROWS);
        KernelCounts pair = tiles(shape, 3, 3 * ROWS).plus(-2, two).plus(1, one);
        KernelCounts row = two.plus(-1, one).plus(-2, pair);
        KernelCounts fixed = one.plus(-1, row).plus(-1, pair);
        KernelCounts more = tiles(shape, 2, ROWS).plus(-1, two);
        long n = Math.ceilDiv(shape.length(), ROWS);
        KernelCounts head = fixed.plus(n, row).plus(n * (n + 1) / 2, pair).plus(again(shape, plan), more);
        return head.plus((long) shape.sequences() * shape.keyValueHeads() - 1, head);
    }

    /// How often a tile of keys of a head is seen by one more chunk.
    private static long again(Shape shape, Plan plan) {
        long tiles = Math.ceilDiv(shape.length(), ROWS);
        long tilesOfChunk = plan.chunk() / ROWS;
        long chunks = Math.ceilDiv(tiles, tilesOfChunk);
        long again = 0;
        for (long tile = 0; tile < tiles; tile++) {
            again += chunks - 1 - tile / tilesOfChunk;
        }
        return again;
    }

    /// Of one head of keys.
    private KernelCounts tiles(Shape shape, int tiles, int chunk) {
        Shape one =
                new Shape(1, tiles * ROWS, shape.heads() / shape.keyValueHeads(), 1, shape.headDim(), shape.window());
        return counted.computeIfAbsent(
                one + " " + chunk,
                _ -> EmulatedBench.count(AttentionBenchmarks.gradient(new Plan(1, chunk), one), Options.Device.SM_90));
    }
}
