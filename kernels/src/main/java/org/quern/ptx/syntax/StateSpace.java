package org.quern.ptx.syntax;

/// Where memory is.
public enum StateSpace {
    GLOBAL,
    SHARED,
    LOCAL,
    CONSTANT,
    PARAMETER,
    /// An address that says itself what it points to.
    GENERIC
}
