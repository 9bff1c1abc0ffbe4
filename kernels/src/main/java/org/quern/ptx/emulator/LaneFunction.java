package org.quern.ptx.emulator;

/// What an instruction computes in one lane.
///
/// Integers come extended to 64 bits by the sign or by zeros as their type says, floats as their bits, predicates
/// as 0 or 1; absent operands as 0. Of the result, the lowest bits of the destination's size count.
@FunctionalInterface
interface LaneFunction {
    long of(long a, long b, long c, long d);
}
