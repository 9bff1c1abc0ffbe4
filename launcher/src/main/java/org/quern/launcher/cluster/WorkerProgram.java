package org.quern.launcher.cluster;

import java.util.List;
import java.util.Map;

/// What a worker runs.
///
/// @param environment what all workers get beside their [Assignment]
/// @param rehearses whether it can be started to stand by
public record WorkerProgram(List<String> command, Map<String, String> environment, boolean rehearses) {}
