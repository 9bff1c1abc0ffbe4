package org.quern.ptx.emulator;

import org.quern.ptx.syntax.Statement.Instruction;

/// Sees what the warps of launches run: those of a warp in their order, those of others between as it happened.
public interface Trace {
    /// A launch begins.
    ///
    /// @param warps of a block
    void begin(String kernel, int warps);

    /// A warp has run an instruction, unless its guard kept all lanes from it.
    ///
    /// @param block in the grid, x first
    /// @param warp in the block
    /// @param lanes that ran it
    /// @param addresses by lane, where it accesses memory; the array is used again
    void ran(long block, int warp, Instruction instruction, int lanes, long[] addresses);
}
