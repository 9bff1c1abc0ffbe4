package org.quern.gpu;

/// Kernels in the form in which a device takes them.
///
/// @param name for messages: the file and its parameters
/// @param ptx the text; the emulator runs it, and it says what each kernel's parameters are
/// @param cubin assembled for the device; empty if the driver is to assemble the text
public record ModuleImage(String name, String ptx, byte[] cubin) {}
