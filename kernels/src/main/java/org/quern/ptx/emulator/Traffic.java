package org.quern.ptx.emulator;

/// Counts what accesses cost on hardware: wavefronts of shared memory, sectors of global memory.
///
/// Shared memory has 32 banks of 4 bytes. Accesses of up to 4 bytes a lane go in one group of 32 lanes, those of 8
/// bytes in two, those of 16 in four; a group takes a wavefront for each word of its busiest bank.
final class Traffic {
    private final Counters counters;
    private final long[] sectors = new long[32];
    private final int[] words = new int[128];
    private final int[] banks = new int[32];

    Traffic(Counters counters) {
        this.counters = counters;
    }

    /// Counts an access of `size` bytes a lane to global memory at [Warp#addresses].
    void global(int instruction, long[] addresses, int mask, int size) {
        int count = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            long sector = addresses[Integer.numberOfTrailingZeros(rest)] >>> 5;
            int at = count;
            while (at > 0 && sectors[at - 1] > sector) {
                at--;
            }
            if (at > 0 && sectors[at - 1] == sector) {
                continue;
            }
            System.arraycopy(sectors, at, sectors, at + 1, count - at);
            sectors[at] = sector;
            count++;
        }
        counters.requests[instruction]++;
        counters.sectors[instruction] += count;
        counters.bytes[instruction] += (long) size * Integer.bitCount(mask);
    }

    /// Counts a bulk copy as one request: the sectors of its pieces, those that follow each other together.
    void bulk(int instruction, Chunks chunks) {
        long last = -1;
        for (int i = 0; i < chunks.count(); i++) {
            int bytes = chunks.to()[i] - chunks.from()[i];
            if (bytes > 0) {
                long first = chunks.global()[i] + chunks.from()[i] >>> 5;
                long end = chunks.global()[i] + chunks.to()[i] - 1 >>> 5;
                counters.sectors[instruction] += end - first + (first == last ? 0 : 1);
                counters.bytes[instruction] += bytes;
                last = end;
            }
        }
        counters.requests[instruction]++;
    }

    /// Counts an access of `size` bytes a lane to shared memory.
    void shared(int instruction, long[] addresses, int mask, int size) {
        int group = size <= 4 ? 32 : 128 / size;
        for (int first = 0; first < 32; first += group) {
            int lanes = group == 32 ? mask : mask & ((1 << group) - 1) << first;
            if (lanes != 0) {
                counters.wavefronts[instruction] += wavefronts(addresses, lanes, size);
                counters.idealWavefronts[instruction]++;
            }
        }
    }

    private int wavefronts(long[] addresses, int lanes, int size) {
        int count = 0;
        int busy = 0;
        int most = 0;
        int occupied = 0;
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int word = (int) addresses[Integer.numberOfTrailingZeros(rest)] >> 2;
            for (int i = 0; i < Math.max(1, size >> 2); i++, word++) {
                int bank = word & 31;
                if ((occupied >>> bank & 1) == 0) {
                    occupied |= 1 << bank;
                    banks[bank] = 0;
                } else if (seen(word, count)) {
                    continue;
                }
                words[count++] = word;
                busy = ++banks[bank];
                most = Math.max(most, busy);
            }
        }
        return most;
    }

    private boolean seen(int word, int count) {
        for (int i = count - 1; i >= 0; i--) {
            if (words[i] == word) {
                return true;
            }
        }
        return false;
    }
}
