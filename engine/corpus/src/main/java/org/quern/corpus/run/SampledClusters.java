package org.quern.corpus.run;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.corpus.duplicate.Clusters;

/// Which clusters of duplicates are kept to be looked at, and how many there are.
///
/// @param counts of each way
/// @param chosen of each way, by the kept pages' numbers
record SampledClusters(List<Count> counts, List<Set<Long>> chosen) {
    private static final int LARGEST = 20;
    private static final int OTHERS = 20;

    /// The clusters that a stage found among the pages that came so far. For JSON.
    ///
    /// @param pages in them
    /// @param sizes clusters by their pages: from a power of two up to the next
    record Count(String stage, long clusters, long pages, SortedMap<Long, Long> sizes) {}

    private record Sized(long keeper, int pages) {}

    /// @param clusters by way and snapshot
    static SampledClusters of(List<Duplicates.Way> ways, List<List<Clusters>> clusters) {
        List<Count> counts = new ArrayList<>();
        List<Set<Long>> chosen = new ArrayList<>();
        for (int way = 0; way < ways.size(); way++) {
            List<Sized> chosenOfWay = new ArrayList<>();
            SortedMap<Long, Long> sizes = new TreeMap<>();
            long pages = 0;
            for (int snapshot = 0; snapshot < clusters.get(way).size(); snapshot++) {
                List<Clusters> earlier = new ArrayList<>();
                for (int i = 0; i < way; i++) {
                    earlier.add(clusters.get(i).get(snapshot));
                }
                long[] keepers = clusters.get(way).get(snapshot).keepers();
                int[] ofKeepers = pagesOf(keepers, clusters.get(way).get(snapshot), earlier);
                for (int size : ofKeepers) {
                    if (size > 1) {
                        sizes.merge((long) Integer.highestOneBit(size), 1L, Long::sum);
                        pages += size;
                    }
                }
                chosenOfWay.addAll(choose(keepers, ofKeepers));
            }
            counts.add(new Count(
                    ways.get(way).name(),
                    sizes.values().stream().mapToLong(Long::longValue).sum(),
                    pages,
                    sizes));
            chosen.add(best(chosenOfWay).map(Sized::keeper).collect(Collectors.toSet()));
        }
        return new SampledClusters(counts, chosen);
    }

    private static int[] pagesOf(long[] keepers, Clusters clusters, List<Clusters> earlier) {
        int[] pages = new int[keepers.length];
        for (long page : clusters.pages()) {
            long keeper = clusters.keeper(page);
            if (keeper != Clusters.KNOWN && earlier.stream().allMatch(way -> way.keeper(page) == page)) {
                pages[Arrays.binarySearch(keepers, keeper)]++;
            }
        }
        return pages;
    }

    private static List<Sized> choose(long[] keepers, int[] pages) {
        return best(IntStream.range(0, keepers.length)
                        .filter(i -> pages[i] > 1)
                        .mapToObj(i -> new Sized(keepers[i], pages[i]))
                        .toList())
                .toList();
    }

    /// The largest, and of all the smallest numbers: those are hashes, and so as good as any.
    private static Stream<Sized> best(List<Sized> clusters) {
        Comparator<Sized> byKeeper = Comparator.comparingLong(Sized::keeper);
        Comparator<Sized> bySize = Comparator.comparingInt(Sized::pages).reversed();
        return Stream.concat(
                        clusters.stream().sorted(bySize.thenComparing(byKeeper)).limit(LARGEST),
                        clusters.stream().sorted(byKeeper).limit(OTHERS))
                .distinct();
    }

    /// In the order in which they are shown: by stage, the largest first.
    ///
    /// @param ofFiles of each file, of each way, what it has of the clusters, by the kept page's number
    static List<DuplicateCluster> sorted(List<List<Map<Long, DuplicateCluster>>> ofFiles) {
        List<Map<Long, DuplicateCluster>> ofWays = new ArrayList<>();
        for (List<Map<Long, DuplicateCluster>> ofFile : ofFiles) {
            for (int way = 0; way < ofFile.size(); way++) {
                if (way == ofWays.size()) {
                    ofWays.add(new HashMap<>());
                }
                Map<Long, DuplicateCluster> all = ofWays.get(way);
                ofFile.get(way).forEach((keeper, cluster) -> all.merge(keeper, cluster, DuplicateCluster::plus));
            }
        }
        return ofWays.stream()
                .flatMap(way -> way.entrySet().stream()
                        .sorted(Comparator.comparingLong((Map.Entry<Long, DuplicateCluster> entry) ->
                                        entry.getValue().pages())
                                .reversed()
                                .thenComparing(Map.Entry.comparingByKey()))
                        .map(Map.Entry::getValue))
                .toList();
    }
}
