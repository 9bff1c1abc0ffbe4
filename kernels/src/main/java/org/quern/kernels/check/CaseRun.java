package org.quern.kernels.check;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.quern.kernels.check.CaseOutcome.Agreement;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.check.CheckDevice.Result;

/// A case on one device.
///
/// @param message what is wrong; empty if nothing is
record CaseRun(Status status, List<Result> results, double seconds, String message) {

    static CaseRun leftOut(String reason) {
        return new CaseRun(Status.LEFT_OUT, List.of(), 0, reason);
    }

    Optional<Double> error() {
        return results.stream().map(Result::error).max(Double::compare);
    }

    /// Compares what both have given.
    Optional<Agreement> agreement(CaseRun other) {
        if (results.isEmpty() || results.size() != other.results.size()) {
            return Optional.empty();
        }
        double difference = 0;
        boolean identical = true;
        for (int r = 0; r < results.size(); r++) {
            Result mine = results.get(r);
            float[] theirs = other.results.get(r).values();
            identical &= Arrays.equals(mine.values(), theirs);
            for (int i = 0; i < theirs.length; i++) {
                difference = Math.max(difference, Tolerance.parts(mine.values()[i], theirs[i], mine.tolerances()[i]));
            }
        }
        return Optional.of(new Agreement(difference, identical));
    }
}
