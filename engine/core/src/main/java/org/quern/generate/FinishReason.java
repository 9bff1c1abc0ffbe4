package org.quern.generate;

/// Why a text ends where it does.
public enum FinishReason {
    /// The model ended it.
    STOP,
    /// It has as many tokens as were asked for.
    LENGTH,
    /// It fills the model's context.
    CONTEXT,
    /// The listener wanted no more.
    CANCELLED
}
