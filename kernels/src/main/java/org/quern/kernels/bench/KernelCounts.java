package org.quern.kernels.bench;

import java.util.List;
import java.util.Map;
import org.quern.ptx.emulator.Statistics;
import org.quern.ptx.emulator.Statistics.Accesses;

/// What one launch of a benchmark's kernel did on the emulator, all of its grids together.
///
/// @param instructions of warps
/// @param flop of all lanes, those of matrix instructions included
/// @param matrixFlop of matrix instructions
/// @param specialFunctions of all lanes
/// @param sectors of 32 bytes that requests to global memory touched
/// @param idealSectors the fewest that could hold what was asked for
/// @param wavefronts of shared memory
/// @param idealWavefronts what they would be without bank conflicts
public record KernelCounts(
        long instructions,
        long flop,
        long matrixFlop,
        long specialFunctions,
        long sectors,
        long idealSectors,
        long wavefronts,
        long idealWavefronts) {
    private static final int SECTOR_BYTES = 32;

    static KernelCounts of(List<Statistics> launches) {
        long instructions = 0;
        long flop = 0;
        long matrix = 0;
        long special = 0;
        long sectors = 0;
        long idealSectors = 0;
        long wavefronts = 0;
        long idealWavefronts = 0;
        for (Statistics launch : launches) {
            instructions += launch.instructionCount();
            flop += launch.flops();
            matrix += launch.matrixFlops();
            special += launch.specialFunctions();
            for (Accesses accesses : launch.accesses()) {
                sectors += accesses.sectors();
                idealSectors += Math.ceilDiv(accesses.bytes(), SECTOR_BYTES);
                wavefronts += accesses.wavefronts();
                idealWavefronts += accesses.idealWavefronts();
            }
        }
        return new KernelCounts(
                instructions, flop, matrix, special, sectors, idealSectors, wavefronts, idealWavefronts);
    }

    /// Sectors touched for each that was needed.
    public double sectorsPerIdeal() {
        return idealSectors == 0 ? 1 : (double) sectors / idealSectors;
    }

    /// Wavefronts for each that was needed.
    public double wavefrontsPerIdeal() {
        return idealWavefronts == 0 ? 1 : (double) wavefronts / idealWavefronts;
    }

    /// All of this, and so many times the other.
    KernelCounts plus(long times, KernelCounts other) {
        return new KernelCounts(
                instructions + times * other.instructions,
                flop + times * other.flop,
                matrixFlop + times * other.matrixFlop,
                specialFunctions + times * other.specialFunctions,
                sectors + times * other.sectors,
                idealSectors + times * other.idealSectors,
                wavefronts + times * other.wavefronts,
                idealWavefronts + times * other.idealWavefronts);
    }

    /// One of so many equal parts. Instructions that poll come as time goes, so that parts may differ by some.
    KernelCounts over(long parts) {
        return new KernelCounts(
                instructions / parts,
                flop / parts,
                matrixFlop / parts,
                specialFunctions / parts,
                sectors / parts,
                idealSectors / parts,
                wavefronts / parts,
                idealWavefronts / parts);
    }

    /// The time that each part of a device would need for its share alone, by the part's name: the largest is a
    /// bound from below. Caches are not modelled: of device memory, `bytes` is what counts.
    ///
    /// @param bytes that must move through the device's memory
    /// @param busy part of the multiprocessors that work at a time, on average
    public Map<String, Double> modelledSeconds(DeviceRates rates, double bytes, double busy) {
        return Map.of(
                "tensor cores", matrixFlop / rates.matrixFlopPerSecond() / busy,
                "issue", instructions / rates.instructionsPerSecond() / busy,
                "special functions", specialFunctions / rates.specialFunctionsPerSecond() / busy,
                "shared memory", wavefronts / rates.wavefrontsPerSecond() / busy,
                "L2 cache", sectors * SECTOR_BYTES / rates.l2BytesPerSecond(),
                "device memory", bytes / rates.bytesPerSecond());
    }
}
