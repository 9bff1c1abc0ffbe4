package org.quern.ptx.emulator;

/// How an [Emulator] behaves where hardware is free to choose, and what its device can do.
///
/// @param device its limits
/// @param seed of every choice
/// @param copies when asynchronous copies, and on a GPU the work of its streams, are done
/// @param blocks the order in which the blocks of a grid run
/// @param schedule which warp of a block runs next
/// @param instructionBudget the most warp instructions of a launch, against loops without end
public record Options(
        Device device, long seed, Copies copies, Blocks blocks, Schedule schedule, long instructionBudget) {

    /// When asynchronous work is done.
    public enum Copies {
        /// At once.
        EAGER,
        /// When somebody waits for it.
        LAZY,
        /// Either, by chance.
        RANDOM
    }

    /// The order in which blocks run.
    public enum Blocks {
        ASCENDING,
        DESCENDING,
        SHUFFLED
    }

    /// Which warp runs next.
    public enum Schedule {
        /// One after the other, each until it waits.
        ROUND_ROBIN,
        /// Any, for a few instructions.
        RANDOM,
        /// Any but one, which runs only when no other can.
        ADVERSARIAL
    }

    /// What a device can do.
    ///
    /// @param architecture 80 for `sm_80`
    /// @param sharedBytesPerBlock the most shared memory of a block, static and dynamic
    /// @param sharedBytesReserved of each block, at the start of its shared address space
    public record Device(
            int architecture,
            int multiprocessors,
            int sharedBytesPerBlock,
            int sharedBytesReserved,
            int threadsPerBlock,
            int barriers) {
        public static final Device SM_80 = new Device(80, 108, 166_912, 1024, 1024, 16);
        public static final Device SM_90 = new Device(90, 132, 232_448, 1024, 1024, 16);
    }

    /// An `sm_80` with everything in order and done at once.
    public static final Options DEFAULT =
            new Options(Device.SM_80, 1, Copies.EAGER, Blocks.ASCENDING, Schedule.ROUND_ROBIN, 1_000_000_000);

    public Options withDevice(Device device) {
        return new Options(device, seed, copies, blocks, schedule, instructionBudget);
    }

    public Options withSeed(long seed) {
        return new Options(device, seed, copies, blocks, schedule, instructionBudget);
    }

    public Options withCopies(Copies copies) {
        return new Options(device, seed, copies, blocks, schedule, instructionBudget);
    }

    public Options withBlocks(Blocks blocks) {
        return new Options(device, seed, copies, blocks, schedule, instructionBudget);
    }

    public Options withSchedule(Schedule schedule) {
        return new Options(device, seed, copies, blocks, schedule, instructionBudget);
    }

    public Options withInstructionBudget(long instructionBudget) {
        return new Options(device, seed, copies, blocks, schedule, instructionBudget);
    }
}
