package org.quern.kernels.bench;

import java.util.Map;
import java.util.Optional;

/// What was measured of a kernel.
///
/// @param quern ours; empty if it did not run
/// @param others libraries' and rivals', by their names
/// @param refusals why somebody has no time, by their names
public record KernelTiming(
        KernelBenchmark benchmark, Optional<Timing> quern, Map<String, Timing> others, Map<String, String> refusals) {}
