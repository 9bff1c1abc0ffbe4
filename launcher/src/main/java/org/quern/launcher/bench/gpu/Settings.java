package org.quern.launcher.bench.gpu;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// What is measured where.
///
/// @param device as in `--device`
/// @param architecture of it: `sm_90`
/// @param torch a Python with torch
/// @param config of the training run
/// @param table of plans that this device goes by
/// @param benchmarks names of the rows, in their order
/// @param tunings names of what can be tuned, in their order, ` by ` the kernels at their ends
public record Settings(
        String device,
        String architecture,
        Optional<String> torch,
        Path config,
        Path table,
        List<String> benchmarks,
        List<String> tunings) {
    boolean hasWarpgroups() {
        return architecture.equals("sm_90");
    }
}
