package org.quern.corpus.duplicate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;

class DuplicateFinderTest {
    private static final Scheme SMALL = new Scheme(3, 2, 5, 1);
    private static final long MEMORY = 1 << 20;

    @TempDir
    private Path folder;

    /// Random signatures of which some share a bucket, by page.
    private static Map<Long, long[]> signatures(long seed, int pages) {
        Random random = new Random(seed);
        Map<Long, long[]> signatures = new TreeMap<>();
        for (long page = 0; page < pages; page++) {
            long[] signature = random.longs(SMALL.size(), 0, Long.MAX_VALUE).toArray();
            if (random.nextInt(3) == 0 && !signatures.isEmpty()) {
                int bucket = random.nextInt(SMALL.buckets());
                long[] other = signatures.get((long) random.nextInt((int) page));
                System.arraycopy(other, bucket * SMALL.hashes(), signature, bucket * SMALL.hashes(), SMALL.hashes());
            }
            signatures.put(page, signature);
        }
        return signatures;
    }

    private static void write(Path folder, Map<Long, long[]> signatures, int tasks, long memory, long shuffle) {
        List<Long> pages = new ArrayList<>(signatures.keySet());
        Collections.shuffle(pages, new Random(shuffle));
        for (int task = 0; task < tasks; task++) {
            SignatureWriter writer = new SignatureWriter(folder, "%05d".formatted(task), SMALL, memory);
            for (int i = task; i < pages.size(); i += tasks) {
                writer.add(pages.get(i), signatures.get(pages.get(i)));
            }
            writer.finish();
        }
    }

    /// The smallest page of each one's cluster, by comparing all pairs until nothing changes.
    private static Map<Long, Long> keepers(Map<Long, long[]> signatures) {
        Map<Long, Long> keepers = new TreeMap<>();
        signatures.keySet().forEach(page -> keepers.put(page, page));
        boolean changed = true;
        while (changed) {
            changed = false;
            for (long one : signatures.keySet()) {
                for (long other : signatures.keySet()) {
                    if (keepers.get(one) < keepers.get(other) && agree(signatures.get(one), signatures.get(other))) {
                        keepers.put(other, keepers.get(one));
                        changed = true;
                    } else if (keepers.get(one) > keepers.get(other)
                            && agree(signatures.get(one), signatures.get(other))) {
                        keepers.put(one, keepers.get(other));
                        changed = true;
                    }
                }
            }
        }
        return keepers;
    }

    private static boolean agree(long[] one, long[] other) {
        return IntStream.range(0, SMALL.buckets())
                .anyMatch(bucket -> Arrays.equals(
                        one,
                        bucket * SMALL.hashes(),
                        (bucket + 1) * SMALL.hashes(),
                        other,
                        bucket * SMALL.hashes(),
                        (bucket + 1) * SMALL.hashes()));
    }

    private static Map<Long, Long> keepers(Clusters clusters, Map<Long, long[]> signatures) {
        Map<Long, Long> keepers = new TreeMap<>();
        signatures.keySet().forEach(page -> keepers.put(page, clusters.keeper(page)));
        return keepers;
    }

    @Test
    void keepsTheSmallestOfEachCluster() {
        Map<Long, long[]> signatures = signatures(1, 300);
        write(folder, signatures, 3, MEMORY, 1);

        Clusters clusters = new DuplicateFinder(SMALL, 2, MEMORY).find(folder, List.of());

        Map<Long, Long> expected = keepers(signatures);
        assertThat(keepers(clusters, signatures)).isEqualTo(expected);
        for (long page : signatures.keySet()) {
            assertThat(clusters.size(page)).isEqualTo((int) expected.values().stream()
                    .filter(expected.get(page)::equals)
                    .count());
        }
    }

    @Test
    void doesNotDependOnTasksThreadsOrMemory() throws IOException {
        Map<Long, long[]> signatures = signatures(2, 300);
        byte[] first = new byte[0];
        for (int round = 0; round < 3; round++) {
            Path written = folder.resolve("round-" + round);
            // 1, 101 and 300 files a bucket, of which more than 64 are merged in steps.
            write(written, signatures, 1 + 100 * (round % 2), round == 2 ? 1 : MEMORY, round);
            new DuplicateFinder(SMALL, 1 + round, 1).find(written, List.of()).write(folder.resolve("clusters"));
            byte[] bytes = Files.readAllBytes(folder.resolve("clusters"));
            first = round == 0 ? bytes : first;
            assertThat(bytes).isEqualTo(first);
            try (var files = Files.list(written.resolve("bucket-000"))) {
                assertThat(files).allMatch(file -> file.toString().endsWith(".sig"));
            }
        }
    }

    @Test
    void dropsWhatAnEarlierRunHad() {
        Map<Long, long[]> all = signatures(3, 400);
        Map<Long, long[]> earlier = new TreeMap<>();
        Map<Long, long[]> later = new TreeMap<>();
        all.forEach((page, signature) -> (page < 200 ? earlier : later).put(page, signature));
        write(folder.resolve("earlier"), earlier, 2, MEMORY, 1);
        write(folder.resolve("later"), later, 2, MEMORY, 1);

        Clusters clusters =
                new DuplicateFinder(SMALL, 2, MEMORY).find(folder.resolve("later"), List.of(folder.resolve("earlier")));

        // Pages of the earlier run are one cluster here, so a later page that leads to any of them is dropped.
        Map<Long, Long> expected = keepers(all);
        for (long page : later.keySet()) {
            long keeper = expected.get(page);
            if (keeper < 200) {
                assertThat(clusters.keeper(page)).isEqualTo(Clusters.KNOWN);
            } else {
                assertThat(clusters.keeper(page)).isEqualTo(keeper);
            }
        }
        assertThat(expected.values()).anyMatch(keeper -> keeper >= 200);
    }

    @Test
    void readsWhatItWrote() {
        Path file = folder.resolve("clusters");
        new Clusters(new long[] {2, 5, 7, 9}, new long[] {2, 2, 7, 7}).write(file);
        Clusters clusters = Clusters.read(file);

        assertThat(LongStream.of(2, 5, 6, 7, 9).map(clusters::keeper)).containsExactly(2L, 2L, 6L, 7L, 7L);
        assertThat(clusters.size(5)).isEqualTo(2);
        assertThat(clusters.size(6)).isEqualTo(1);
    }

    @Test
    void refusesDamagedFilesByName() throws IOException {
        write(folder, signatures(4, 50), 1, MEMORY, 1);
        Path file = folder.resolve("bucket-001/00000-000.sig");
        byte[] whole = Files.readAllBytes(file);
        Random random = new Random(5);
        for (int round = 0; round < 200; round++) {
            byte[] damaged = round % 2 == 0 ? Arrays.copyOf(whole, random.nextInt(whole.length)) : whole.clone();
            if (round % 2 == 1) {
                damaged[random.nextInt(damaged.length)] ^= (byte) (1 + random.nextInt(255));
            }
            Files.write(file, damaged);
            assertThatThrownBy(() -> new DuplicateFinder(SMALL, 1, MEMORY).find(folder, List.of()))
                    .isInstanceOf(QuernException.class)
                    .hasMessageContaining("bucket-001/00000-000.sig is not as it was written");
        }
    }

    @Test
    void refusesSignaturesOfAnotherScheme() {
        write(folder, signatures(6, 5), 1, MEMORY, 1);

        assertThatThrownBy(() -> new DuplicateFinder(new Scheme(3, 2, 4, 1), 1, MEMORY).find(folder, List.of()))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("made with another configuration");
    }

    @Test
    void takesATaskWithoutPages() {
        write(folder, Map.of(), 2, MEMORY, 1);

        assertThat(new DuplicateFinder(SMALL, 1, MEMORY).find(folder, List.of()).pages())
                .isEmpty();
    }
}
