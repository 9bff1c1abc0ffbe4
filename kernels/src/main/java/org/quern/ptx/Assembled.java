package org.quern.ptx;

import java.util.Map;

/// A module for one architecture.
///
/// @param cubin an ELF file as the driver loads it
/// @param kernels what each entry needs, by its name
public record Assembled(byte[] cubin, Map<String, ResourceUsage> kernels) {}
