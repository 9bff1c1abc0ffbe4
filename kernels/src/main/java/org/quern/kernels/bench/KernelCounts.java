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
    /// `mma.m16n8k16`, the only one that the kernels use.
    private static final long MATRIX_FLOP = 2L * 16 * 8 * 16;

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
            matrix += MATRIX_FLOP * launch.instructions().getOrDefault("mma", 0L);
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

    /// The time that each part of an A100 would need for its share alone, all multiprocessors busy, by the
    /// part's name: the largest is a bound from below. Its caches are not modelled: of device memory, `bytes`
    /// is what counts.
    public Map<String, Double> modelledSeconds(double bytes) {
        return Map.of(
                "tensor cores", matrixFlop / A100.MATRIX_FLOP_PER_SECOND,
                "issue", instructions / A100.INSTRUCTIONS_PER_SECOND,
                "special functions", specialFunctions / A100.SPECIAL_FUNCTIONS_PER_SECOND,
                "shared memory", wavefronts / A100.WAVEFRONTS_PER_SECOND,
                "L2 cache", sectors * SECTOR_BYTES / A100.L2_BYTES_PER_SECOND,
                "device memory", bytes / A100.BYTES_PER_SECOND);
    }

    /// What NVIDIA says of the A100 with 40 GB: its datasheet, and "NVIDIA A100 Tensor Core GPU Architecture".
    private static final class A100 {
        private static final double MULTIPROCESSOR_CLOCKS_PER_SECOND = 108 * 1.41e9;
        static final double MATRIX_FLOP_PER_SECOND = 312e12;
        static final double INSTRUCTIONS_PER_SECOND = 4 * MULTIPROCESSOR_CLOCKS_PER_SECOND;
        static final double SPECIAL_FUNCTIONS_PER_SECOND = 16 * MULTIPROCESSOR_CLOCKS_PER_SECOND;
        static final double WAVEFRONTS_PER_SECOND = MULTIPROCESSOR_CLOCKS_PER_SECOND;
        static final double L2_BYTES_PER_SECOND = 5120 * 1.41e9;
        static final double BYTES_PER_SECOND = 1.555e12;
    }
}
