package org.quern.ptx.emulator;

import org.quern.gpu.Launch.Dim;

/// How a kernel is launched.
///
/// @param grid its blocks
/// @param block threads of each
/// @param sharedBytes dynamic shared memory of a block
/// @param programmatic whether it may begin while the launch before it still runs. It then has to execute
///     `griddepcontrol.wait` before it touches what that launch does, or those further back as far as they
///     were launched so, or the one before them. When they execute `griddepcontrol.launch_dependents` is
///     no matter: before it has waited, nothing of theirs need be done.
public record LaunchConfiguration(Dim grid, Dim block, int sharedBytes, boolean programmatic) {
    /// One that begins when all before it is done.
    public LaunchConfiguration(Dim grid, Dim block, int sharedBytes) {
        this(grid, block, sharedBytes, false);
    }

    /// Of a block, the last one perhaps not full.
    int warps() {
        return Math.toIntExact(Math.ceilDiv(block.count(), 32));
    }
}
