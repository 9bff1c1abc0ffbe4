package org.quern.train.profile;

import org.quern.executor.Operation;
import org.quern.train.Device;

/// An operation that was run.
///
/// @param start nanoseconds on the device's clock
record TimedOperation(Operation operation, long start, long nanos) {

    /// The nanoseconds that its arithmetic or its memory traffic needs at least, whichever needs more.
    double floor(Device.Speed speed) {
        return 1e9
                * Math.max(
                        operation.cost().flop() / speed.flop(), operation.cost().bytes() / speed.memoryBytes());
    }
}
