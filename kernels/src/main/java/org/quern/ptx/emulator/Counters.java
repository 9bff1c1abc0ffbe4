package org.quern.ptx.emulator;

/// What a launch did, by instruction of its program.
final class Counters {
    final long[] instructions;
    final long[] lanes;
    final long[] wavefronts;
    final long[] idealWavefronts;
    final long[] requests;
    final long[] sectors;
    final long[] bytes;

    Counters(int size) {
        instructions = new long[size];
        lanes = new long[size];
        wavefronts = new long[size];
        idealWavefronts = new long[size];
        requests = new long[size];
        sectors = new long[size];
        bytes = new long[size];
    }
}
