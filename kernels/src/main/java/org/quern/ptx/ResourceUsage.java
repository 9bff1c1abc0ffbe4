package org.quern.ptx;

/// What a kernel needs, as its assembler says. (Registers that spill to memory are an error, so there are none.)
///
/// @param registers 32-bit registers a thread
/// @param stackBytes local memory a thread
/// @param sharedBytes static shared memory a block
/// @param constantBytes constant memory, its parameters included
public record ResourceUsage(int registers, int stackBytes, int sharedBytes, int constantBytes) {}
