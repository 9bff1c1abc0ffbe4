package org.quern.kernels.bench;

/// What a device reaches at best, measured in the same run.
///
/// @param bytesPerSecond of a copy within the device, read and written bytes
/// @param flopPerSecond of a large product of bf16 matrices
/// @param product whose product that is, the fastest: `cuBLAS`
public record Ceilings(double bytesPerSecond, double flopPerSecond, String product) {}
