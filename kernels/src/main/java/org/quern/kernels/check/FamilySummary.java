package org.quern.kernels.check;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.kernels.check.CaseOutcome.Agreement;
import org.quern.kernels.check.CaseOutcome.Status;

/// What became of a family's cases.
///
/// @param ok as they must be
/// @param failed wrong, refused, or ended by a fault
/// @param leftOut not tried
/// @param seconds that they took together
/// @param error the largest, as a part of what is tolerated
/// @param compared with the emulator
/// @param identical to the emulator in all bits
/// @param difference the largest to the emulator, as a part of what is tolerated
public record FamilySummary(
        String family,
        int cases,
        int ok,
        int failed,
        int leftOut,
        double seconds,
        double error,
        int compared,
        int identical,
        double difference) {

    /// One a family, in the order in which they come first.
    public static List<FamilySummary> of(Collection<CaseOutcome> outcomes) {
        Map<String, FamilySummary> families = new LinkedHashMap<>();
        for (CaseOutcome outcome : outcomes) {
            families.merge(outcome.family(), of(outcome), (a, b) -> a.and(a.family, b));
        }
        return List.copyOf(families.values());
    }

    private static FamilySummary of(CaseOutcome outcome) {
        Status status = outcome.status();
        return new FamilySummary(
                outcome.family(),
                1,
                status == Status.OK ? 1 : 0,
                status == Status.FAILED || status == Status.FAULT ? 1 : 0,
                status == Status.LEFT_OUT ? 1 : 0,
                outcome.seconds(),
                outcome.error().orElse(0.0),
                outcome.agreement().isPresent() ? 1 : 0,
                outcome.agreement().filter(Agreement::identical).isPresent() ? 1 : 0,
                outcome.agreement().map(Agreement::difference).orElse(0.0));
    }

    /// Both under one name.
    public FamilySummary and(String name, FamilySummary other) {
        return new FamilySummary(
                name,
                cases + other.cases,
                ok + other.ok,
                failed + other.failed,
                leftOut + other.leftOut,
                seconds + other.seconds,
                Math.max(error, other.error),
                compared + other.compared,
                identical + other.identical,
                Math.max(difference, other.difference));
    }
}
