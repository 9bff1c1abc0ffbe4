package org.quern.kernels.cuda;

/// A part of C that blocks compute at a time, and how.
public interface ProductTile {
    /// Among those of its kind: `LARGE`.
    String name();

    /// Rows of a block's part.
    int m();

    /// Its columns.
    int n();

    /// Steps along k that are under way at a time.
    int stages();

    /// Blocks of a cluster; each computes the part of C below that of the one before.
    int blocks();
}
