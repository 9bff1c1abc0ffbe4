package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// A case and the family whose kernel it is about.
public record CatalogCase(String family, KernelCase kernelCase) {

    /// The case's.
    public String name() {
        return kernelCase.name();
    }

    /// The order in which the first few say most: the families in turn, and of each family cases far apart first, as
    /// neighbours are alike.
    public static List<CatalogCase> tellingFirst(List<CatalogCase> cases) {
        record Place(int rank, CatalogCase which) {}
        List<Place> places = new ArrayList<>();
        cases.stream().map(CatalogCase::family).distinct().forEach(family -> {
            List<CatalogCase> own =
                    cases.stream().filter(one -> one.family().equals(family)).toList();
            int bits = Math.max(1, 32 - Integer.numberOfLeadingZeros(own.size() - 1));
            for (int i = 0; i < own.size(); i++) {
                places.add(new Place(Integer.reverse(i) >>> 32 - bits, own.get(i)));
            }
        });
        return places.stream()
                .sorted(Comparator.comparingInt(Place::rank))
                .map(Place::which)
                .toList();
    }
}
