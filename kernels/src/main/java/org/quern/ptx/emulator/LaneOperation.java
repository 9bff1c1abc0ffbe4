package org.quern.ptx.emulator;

import java.util.List;
import org.quern.ptx.syntax.PtxType;

/// An instruction that computes each lane's result from the same lane of up to four operands.
final class LaneOperation implements Operation {
    private final LaneLoop loop;
    private final RegisterFile resultFile;
    private final int resultSlot;
    private final RegisterFile[] files;
    private final int[] slots;
    private final int result;
    private final int a;
    private final int b;
    private final int c;
    private final int d;
    private final int flops;
    private final boolean specialFunction;

    /// @param slots of the sources
    LaneOperation(
            LaneLoop loop,
            PtxType resultType,
            int resultSlot,
            List<PtxType> types,
            int[] slots,
            int flops,
            boolean specialFunction) {
        this.loop = loop;
        this.resultSlot = resultSlot;
        this.slots = slots;
        this.flops = flops;
        this.specialFunction = specialFunction;
        resultFile = RegisterFile.of(resultType);
        files = types.stream().map(RegisterFile::of).toArray(RegisterFile[]::new);
        result = place(resultFile, resultSlot);
        int[] places = new int[4];
        for (int i = 0; i < slots.length; i++) {
            places[i] = place(files[i], slots[i]);
        }
        a = places[0];
        b = places[1];
        c = places[2];
        d = places[3];
    }

    private static int place(RegisterFile file, int slot) {
        return file == RegisterFile.PREDICATES ? slot : slot * 32;
    }

    @Override
    public void execute(Warp warp, int mask) {
        Registers registers = warp.registers;
        requireSources(warp, mask);
        if (mask == -1) {
            loop.run(registers, result, a, b, c, d);
        } else {
            loop.run(registers, RegisterLayout.SINK, a, b, c, d);
            keep(registers, mask);
        }
        switch (resultFile) {
            case WORDS -> registers.wordsDefined[resultSlot] |= mask;
            case LONGS -> registers.longsDefined[resultSlot] |= mask;
            case PREDICATES -> registers.predicatesDefined[resultSlot] |= mask;
        }
    }

    /// Faults if a lane of `mask` would read what was not written.
    void requireSources(Warp warp, int mask) {
        Registers registers = warp.registers;
        for (int i = 0; i < slots.length; i++) {
            switch (files[i]) {
                case WORDS -> registers.requireWord(warp, slots[i], mask);
                case LONGS -> registers.requireLong(warp, slots[i], mask);
                case PREDICATES -> registers.requirePredicate(warp, slots[i], mask);
            }
        }
    }

    /// Lanes in which the second source, an integer, is zero.
    int zerosInSecond(Registers registers) {
        int zeros = 0;
        for (int lane = 0; lane < 32; lane++) {
            boolean zero =
                    files[1] == RegisterFile.LONGS ? registers.longs[b + lane] == 0 : registers.words[b + lane] == 0;
            zeros |= zero ? 1 << lane : 0;
        }
        return zeros;
    }

    /// Takes the lanes of `mask` from the sink.
    private void keep(Registers registers, int mask) {
        switch (resultFile) {
            case WORDS -> {
                for (int lanes = mask; lanes != 0; lanes &= lanes - 1) {
                    int lane = Integer.numberOfTrailingZeros(lanes);
                    registers.words[result + lane] = registers.words[lane];
                }
            }
            case LONGS -> {
                for (int lanes = mask; lanes != 0; lanes &= lanes - 1) {
                    int lane = Integer.numberOfTrailingZeros(lanes);
                    registers.longs[result + lane] = registers.longs[lane];
                }
            }
            case PREDICATES ->
                registers.predicates[result] =
                        registers.predicates[result] & ~mask | registers.predicates[RegisterLayout.SINK] & mask;
        }
    }

    @Override
    public int flops() {
        return flops;
    }

    @Override
    public boolean specialFunction() {
        return specialFunction;
    }
}
