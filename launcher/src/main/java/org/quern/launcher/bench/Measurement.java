package org.quern.launcher.bench;

/// What a benchmark came to in one round: the median of its repetitions, as a rate.
///
/// @param name the benchmark and its case, such as `matmul 1024`
/// @param rate more is faster
public record Measurement(String name, int threads, double rate, String unit) {}
