package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The matrix products of a warp's warpgroup that the warp has issued and not waited for, and the state of the
/// registers that products use.
///
/// A product begins when all four warps have issued it, and is over for shared memory when one of them has waited. A
/// register that a product uses may not be touched until its warp has waited; one that was touched needs a
/// `wgmma.fence` before a product may use it.
final class Products {
    /// A product of a warpgroup.
    static final class Product {
        final int instruction;
        final MatrixProduct.Operands operands;
        /// Warps that have issued it, a bit each.
        private int issued;
        /// Of the warpgroup, when the first of them had waited; 0 before.
        private int epoch;
        /// What it reads of shared memory, by address, 16 bytes each.
        final List<int[]> pieces = new ArrayList<>();

        Product(int instruction, MatrixProduct.Operands operands) {
            this.instruction = instruction;
            this.operands = operands;
        }
    }

    private record Pending(Product product, MatrixProduct operation, int group) {}

    private final Warp warp;
    private final List<Pending> pending = new ArrayList<>();
    /// Products issued, and groups committed.
    private int issued;
    private int committed;
    /// By register: when it was touched last, in fences; products in flight that use it; and their columns if it is
    /// an accumulator of theirs, 0 if it is an operand.
    private final int[] touched;
    private final int[] inFlight;
    private final int[] columns;
    private int fences;

    Products(Warp warp, int registers) {
        this.warp = warp;
        touched = new int[registers];
        inFlight = new int[registers];
        columns = new int[registers];
    }

    void start() {
        pending.clear();
        issued = 0;
        committed = 0;
        fences = 0;
        Arrays.fill(touched, 0);
        Arrays.fill(inFlight, 0);
    }

    /// An instruction that is no product reads or writes registers that products use.
    void touch(int[] slots) {
        for (int slot : slots) {
            if (inFlight[slot] > 0) {
                throw warp.fault(
                        ASYNC_COPY,
                        Integer.numberOfTrailingZeros(warp.active),
                        "touches %s while a product may still use it: wgmma.wait_group must come first"
                                .formatted(warp.registers.name(slot)));
            }
            touched[slot] = fences;
        }
    }

    void fence() {
        fences++;
    }

    private void requireFenced(int slot) {
        if (touched[slot] == fences) {
            throw warp.fault(
                    ASYNC_COPY,
                    0,
                    "uses %s, which was touched, or never was used by a product, since the last wgmma.fence"
                            .formatted(warp.registers.name(slot)));
        }
    }

    /// Issues a product by this warp.
    ///
    /// @return what its warpgroup knows of it
    Product issue(MatrixProduct operation, MatrixProduct.Operands operands) {
        for (int slot : operation.accumulators()) {
            requireFenced(slot);
            if (inFlight[slot] > 0 && columns[slot] != operation.columns()) {
                throw warp.fault(
                        ASYNC_COPY,
                        0,
                        "accumulates to %s, which a product of another shape may still use"
                                .formatted(warp.registers.name(slot)));
            }
        }
        for (int slot : operation.fragments()) {
            requireFenced(slot);
            if (inFlight[slot] > 0 && columns[slot] != 0) {
                throw warp.fault(
                        ASYNC_COPY,
                        0,
                        "multiplies %s, which a product may still write".formatted(warp.registers.name(slot)));
            }
        }
        hold(operation.accumulators(), operation.columns());
        hold(operation.fragments(), 0);
        Product product = warp.block.products(warp).at(issued, warp, operands);
        issued++;
        pending.add(new Pending(product, operation, committed));
        product.issued |= 1 << (warp.index & 3);
        return product;
    }

    private void hold(int[] slots, int shape) {
        for (int slot : slots) {
            inFlight[slot]++;
            columns[slot] = shape;
        }
    }

    /// Whether all four warps have issued it.
    static boolean isWhole(Product product) {
        return product.issued == 15;
    }

    /// Whether one warp has issued it.
    static boolean isFirst(Product product) {
        return Integer.bitCount(product.issued) == 1;
    }

    void commit() {
        committed++;
    }

    /// Waits for all groups of this warp but the last `open` ones.
    ///
    /// @return false if other warps have yet to issue them
    boolean await(int open) {
        for (Pending waiting : pending) {
            if (waiting.group < committed - open && !isWhole(waiting.product)) {
                return false;
            }
        }
        for (int i = 0; i < pending.size(); i++) {
            Pending waiting = pending.get(i);
            if (waiting.group < committed - open) {
                end(waiting);
                pending.remove(i--);
            }
        }
        return true;
    }

    private void end(Pending waiting) {
        for (int slot : waiting.operation.accumulators()) {
            inFlight[slot]--;
        }
        for (int slot : waiting.operation.fragments()) {
            inFlight[slot]--;
        }
        Product product = waiting.product;
        int actor = warp.block.firstActor() + warp.block.warps.length + (warp.index >> 2);
        if (product.epoch == 0) {
            product.epoch = warp.block.products(warp).advance();
            for (int[] addresses : product.pieces) {
                for (int address : addresses) {
                    warp.block.shared.endProduct(actor, product.epoch, address, product.instruction);
                }
            }
        }
        if (warp.clock[actor] < product.epoch) {
            warp.clock[actor] = product.epoch;
            warp.clockChanged();
        }
    }

    /// Faults if a warp exits without having waited.
    void requireNone() {
        if (!pending.isEmpty()) {
            throw warp.fault(
                    ASYNC_COPY,
                    0,
                    "exits without having waited for the product of "
                            + warp.block.execution.program.where(pending.getFirst().product.instruction));
        }
    }

    /// What the warps of a warpgroup issue, in order: the same.
    static final class Group {
        private final List<Product> products = new ArrayList<>();
        /// Products that all four warps have issued.
        private int done;
        /// Its time: products that have ended.
        private int epoch;

        void start(int epoch) {
            products.clear();
            done = 0;
            this.epoch = epoch;
        }

        int epoch() {
            return epoch;
        }

        private int advance() {
            return ++epoch;
        }

        private Product at(int index, Warp warp, MatrixProduct.Operands operands) {
            while (!products.isEmpty() && isWhole(products.getFirst())) {
                products.removeFirst();
                done++;
            }
            if (index - done == products.size()) {
                products.add(new Product(warp.at, operands));
            }
            Product product = products.get(index - done);
            if (product.instruction != warp.at || !product.operands.equals(operands)) {
                throw warp.fault(
                        DIVERGED,
                        0,
                        "the four warps of a warpgroup multiply together, but another one has %s at %s, not %s"
                                .formatted(
                                        product.operands,
                                        warp.block.execution.program.where(product.instruction),
                                        operands));
            }
            return product;
        }
    }
}
