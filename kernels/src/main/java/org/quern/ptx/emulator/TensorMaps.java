package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.TensorMap;
import org.quern.gpu.TensorMap.Element;
import org.quern.gpu.TensorMap.Swizzle;

/// Tensor maps as the emulated device keeps them, 128 bytes: a mark, the sum of all other words, element and
/// swizzle, rank, address, then sizes, strides and box.
public final class TensorMaps {
    private static final int MARK = 0x7e4502a1;
    private static final int WORDS = TensorMap.BYTES / Integer.BYTES;

    private TensorMaps() {}

    /// Puts a map where a kernel will find it.
    public static void encode(TensorMap map, MemorySegment target) {
        int[] words = new int[WORDS];
        words[0] = MARK;
        words[2] = map.element().ordinal()
                | map.swizzle().ordinal() << 8
                | map.sizes().size() << 16;
        int at = put(words, 3, map.address());
        for (long size : map.sizes()) {
            at = put(words, at, size);
        }
        for (long stride : map.strides()) {
            at = put(words, at, stride);
        }
        for (int size : map.box()) {
            words[at++] = size;
        }
        words[1] = sum(words);
        MemorySegment.copy(words, 0, target, ValueLayout.JAVA_INT_UNALIGNED, 0, WORDS);
    }

    private static int put(int[] words, int at, long value) {
        words[at] = (int) value;
        words[at + 1] = (int) (value >>> 32);
        return at + 2;
    }

    private static int sum(int[] words) {
        int sum = 1;
        for (int i = 2; i < words.length; i++) {
            sum = 31 * sum + words[i];
        }
        return sum;
    }

    /// The map that a lane means by 128 bytes.
    static TensorMap decode(Warp warp, int lane, int[] words) {
        if (words[0] != MARK || words[1] != sum(words)) {
            throw warp.fault(TRAP, lane, "the 128 bytes are no tensor map that the device encoded");
        }
        int rank = words[2] >>> 16;
        int at = 3;
        long address = get(words, at);
        List<Long> sizes = new ArrayList<>();
        List<Long> strides = new ArrayList<>();
        List<Integer> box = new ArrayList<>();
        for (int i = 0; i < rank; i++) {
            sizes.add(get(words, at += 2));
        }
        for (int i = 0; i < rank - 1; i++) {
            strides.add(get(words, at += 2));
        }
        at += 2;
        for (int i = 0; i < rank; i++) {
            box.add(words[at++]);
        }
        return new TensorMap(
                Element.values()[words[2] & 0xff],
                address,
                sizes,
                strides,
                box,
                Swizzle.values()[words[2] >>> 8 & 0xff]);
    }

    private static long get(int[] words, int at) {
        return words[at] & 0xffffffffL | (long) words[at + 1] << 32;
    }
}
