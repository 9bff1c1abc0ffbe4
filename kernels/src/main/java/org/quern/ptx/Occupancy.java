package org.quern.ptx;

import org.quern.gpu.DeviceProperties;

/// How many blocks of a kernel a multiprocessor holds at a time, and what stops it from holding more.
///
/// @param blocks a multiprocessor
/// @param warps in these
/// @param limit what runs out first: `registers`, `shared memory`, `threads` or `blocks`
public record Occupancy(int blocks, int warps, String limit, double fraction) {
    /// Of the architectures from 8.0 on. Registers are handed out to warps in units, from four separate files.
    private static final int REGISTER_UNIT = 256;

    private static final int PARTITIONS = 4;
    private static final int SHARED_UNIT = 128;
    /// Shared memory that the system takes of each block.
    private static final int SHARED_RESERVED = 1024;

    private static final int WARP = 32;

    /// As NVIDIA's occupancy calculator has it.
    ///
    /// @param sharedBytes static and dynamic, a block
    /// @param threads a block
    public static Occupancy of(DeviceProperties device, int registers, int sharedBytes, int threads) {
        int warps = Math.ceilDiv(threads, WARP);
        int warpRegisters = roundUp(registers * WARP, REGISTER_UNIT);
        int residentWarps = device.registersPerMultiprocessor() / PARTITIONS / warpRegisters * PARTITIONS;
        int byRegisters = roundUp(warps, PARTITIONS) > residentWarps ? 0 : residentWarps / warps;
        int byShared = device.sharedBytesPerMultiprocessor() / roundUp(sharedBytes + SHARED_RESERVED, SHARED_UNIT);
        int byThreads = device.threadsPerMultiprocessor() / WARP / warps;
        int blocks = Math.min(Math.min(byRegisters, byShared), Math.min(byThreads, device.blocksPerMultiprocessor()));
        String limit = blocks == byRegisters
                ? "registers"
                : blocks == byShared ? "shared memory" : blocks == byThreads ? "threads" : "blocks";
        return new Occupancy(
                blocks, blocks * warps, limit, (double) blocks * warps * WARP / device.threadsPerMultiprocessor());
    }

    private static int roundUp(int value, int unit) {
        return Math.ceilDiv(value, unit) * unit;
    }
}
