package org.quern.kernels.check;

import java.util.Optional;

/// What became of a case.
///
/// @param family of its kernel
/// @param name the case's
/// @param seconds that it took, its inputs and its reference included
/// @param error the largest error as a part of what is tolerated, empty if nothing was compared
/// @param agreement with the oracle, empty if there is none or one of the two gave no result
/// @param message what is wrong; empty if nothing is
public record CaseOutcome(
        String family,
        String name,
        Status status,
        double seconds,
        Optional<Double> error,
        Optional<Agreement> agreement,
        String message) {

    /// How a case ends.
    public enum Status {
        /// As it must be.
        OK,
        /// The kernel is wrong, or refused sizes that it must take.
        FAILED,
        /// The device stopped working, or did not come to an end.
        FAULT,
        /// Not tried, because the time was over or the device gone.
        LEFT_OUT
    }

    /// How two devices' results differ for the same inputs.
    ///
    /// @param difference the largest, as a part of what is tolerated
    /// @param identical whether all bits are the same
    public record Agreement(double difference, boolean identical) {}
}
