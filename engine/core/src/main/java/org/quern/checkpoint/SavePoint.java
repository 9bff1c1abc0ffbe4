package org.quern.checkpoint;

import java.util.concurrent.atomic.AtomicInteger;

/// The moments of a save at which a process may be killed: whenever that is, the checkpoints before are whole.
///
/// For tests, `-Dquern.halt=FILE_WRITTEN:3` ends the process, as SIGKILL does, when it is there for the third time.
public enum SavePoint {
    /// The states are copied; nothing is on the disk.
    COPIED,
    /// The folder under its temporary name is there, and empty.
    FOLDER_MADE,
    /// The beginning of a file is there.
    FILE_BEGUN,
    /// A file is on the disk.
    FILE_WRITTEN,
    /// All workers have written their files.
    ALL_WRITTEN,
    /// The manifest is on the disk.
    MANIFEST_WRITTEN,
    /// The folder is on the disk under its temporary name.
    FLUSHED,
    /// The folder has its name.
    RENAMED,
    /// The name is on the disk.
    COMMITTED,
    /// What is on the disk was compared with its checksums.
    VERIFIED,
    /// A checkpoint that need not be kept has lost its name.
    OLD_RENAMED,
    /// It is gone.
    OLD_REMOVED;

    private static final int KILLED = 137;

    private final AtomicInteger times = new AtomicInteger();

    /// Says that a save has come here.
    public void reached() {
        String halt = System.getProperty("quern.halt", "");
        if (!halt.isEmpty() && halt.equals(name() + ":" + times.incrementAndGet())) {
            Runtime.getRuntime().halt(KILLED);
        }
    }
}
