package org.quern.train.profile;

import java.util.List;

/// A step whose operations were timed one by one.
///
/// @param step its number, from 1
/// @param hostNanos what it took by the host's clock
record TimedStep(long step, long hostNanos, List<TimedOperation> operations) {}
