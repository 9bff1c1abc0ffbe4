package org.quern.graph;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Where in the arena each tensor that is no state lives: tensors share memory if their lives do not overlap,
/// and an operation that can work in place takes over the memory of an input that nobody reads later.
///
/// The placement is greedy by size (Pisarchyk and Lee, 2020): the largest first, each at the lowest offset that
/// is free during its whole life.
///
/// @param offsets bytes from the start of the arena, multiples of `ALIGNMENT`
/// @param bytes size of the arena
public record MemoryPlan(Map<Value, Long> offsets, long bytes) {
    /// Every tensor starts at a multiple of this: a cache line, and the widest vector.
    public static final long ALIGNMENT = 64;

    public MemoryPlan {
        offsets = Map.copyOf(offsets);
    }

    /// Memory that tensors have one after the other, from the node that first writes it to the last that uses
    /// it.
    private static final class Block {
        final List<Value> tenants = new ArrayList<>();
        final long bytes;
        final int first;
        int last;
        long offset;

        Block(long bytes, int first) {
            this.bytes = bytes;
            this.first = first;
        }

        boolean overlaps(Block other) {
            return first <= other.last && other.first <= last;
        }
    }

    public static MemoryPlan of(Schedule schedule) {
        List<Block> blocks = blocks(schedule.nodes());
        blocks.sort(Comparator.comparingLong((Block block) -> block.bytes)
                .reversed()
                .thenComparingInt(block -> block.first));
        List<Block> placed = new ArrayList<>();
        Map<Value, Long> offsets = new HashMap<>();
        long bytes = 0;
        for (Block block : blocks) {
            block.offset = lowestFree(block, placed);
            placed.add(block);
            block.tenants.forEach(value -> offsets.put(value, block.offset));
            bytes = Math.max(bytes, block.offset + align(block.bytes));
        }
        return new MemoryPlan(offsets, bytes);
    }

    private static List<Block> blocks(List<Node> nodes) {
        Map<Value, Integer> lastUse = new HashMap<>();
        for (int i = 0; i < nodes.size(); i++) {
            int index = i;
            nodes.get(i).inputs().forEach(value -> lastUse.put(value, index));
            nodes.get(i).outputs().forEach(output -> lastUse.put(output.value(), index));
        }
        List<Block> blocks = new ArrayList<>();
        Map<Value, Block> blockOf = new HashMap<>();
        for (int i = 0; i < nodes.size(); i++) {
            Node node = nodes.get(i);
            for (int o = 0; o < node.outputs().size(); o++) {
                Value value = node.output(o);
                if (value.state() || blockOf.containsKey(value)) {
                    continue;
                }
                Block block = o == 0 ? takenOver(node, i, lastUse, blockOf) : null;
                if (block == null) {
                    block = new Block(value.bytes(), i);
                    blocks.add(block);
                }
                block.tenants.add(value);
                block.last = lastUse.get(value);
                blockOf.put(value, block);
            }
        }
        return blocks;
    }

    /// The block of an input that the first output of a node may take over, or null.
    private static Block takenOver(Node node, int index, Map<Value, Integer> lastUse, Map<Value, Block> blockOf) {
        for (int candidate : node.op().inPlace()) {
            Value input = node.input(candidate);
            boolean readOnce = node.inputs().stream().filter(input::equals).count() == 1;
            if (!input.state()
                    && readOnce
                    && lastUse.get(input) == index
                    && input.bytes() == node.output(0).bytes()) {
                return blockOf.get(input);
            }
        }
        return null;
    }

    private static long lowestFree(Block block, List<Block> placed) {
        List<Block> neighbours = placed.stream()
                .filter(block::overlaps)
                .sorted(Comparator.comparingLong(other -> other.offset))
                .toList();
        long offset = 0;
        for (Block other : neighbours) {
            if (offset + align(block.bytes) <= other.offset) {
                break;
            }
            offset = Math.max(offset, other.offset + align(other.bytes));
        }
        return offset;
    }

    private static long align(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
